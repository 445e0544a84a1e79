//! The same sale in the hands of others.

/// As a JSON object, the way an API would say it.
pub mod json {
    use serde::{Deserialize, Serialize};

    use stockroom_crdt::sale::{Sale, SaleLine};

    /// A sale in JSON's words.
    #[derive(Serialize, Deserialize)]
    pub struct SaleJson {
        till: u32,
        till_seq: u64,
        receipt: u64,
        day: u32,
        rung_ms: u64,
        currency: String,
        cashier: String,
        lines: Vec<LineJson>,
        tenders: Vec<TenderJson>,
    }

    #[derive(Serialize, Deserialize)]
    struct LineJson {
        sku: String,
        quantity: i64,
        unit_price: i64,
        #[serde(default, skip_serializing_if = "is_zero")]
        discount: i64,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        discount_reason: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tax: Option<TaxJson>,
    }

    #[derive(Serialize, Deserialize)]
    struct TaxJson {
        code: String,
        rate_bp: u32,
        amount: i64,
    }

    #[derive(Serialize, Deserialize)]
    struct TenderJson {
        kind: String,
        amount: i64,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reference: String,
    }

    /// The sale as compact JSON.
    pub fn encode(sale: &Sale) -> Vec<u8> {
        let tender = |tender: &stockroom_crdt::sale::Tender| TenderJson {
            kind: tender.kind.as_str().into(),
            amount: tender.amount,
            reference: tender.reference.as_str().into(),
        };
        let sale = SaleJson {
            till: sale.receipt.till.0,
            till_seq: sale.till_seq,
            receipt: sale.receipt.sequence,
            day: sale.day,
            rung_ms: sale.rung_ms,
            currency: sale.currency.as_str().into(),
            cashier: sale.cashier.as_str().into(),
            lines: sale.lines.iter().map(line).collect(),
            tenders: sale.tenders.iter().map(tender).collect(),
        };
        serde_json::to_vec(&sale).expect("a sale is plain data")
    }

    /// The sale that [`encode`] wrote.
    pub fn decode(text: &[u8]) -> SaleJson {
        serde_json::from_slice(text).expect("our own text")
    }

    fn line(line: &SaleLine) -> LineJson {
        LineJson {
            sku: line.sku.as_str().into(),
            quantity: line.quantity,
            unit_price: line.unit_price,
            discount: line.discount,
            discount_reason: line.discount_reason.as_str().into(),
            tax: line.tax.as_ref().map(|tax| TaxJson {
                code: tax.code.as_str().into(),
                rate_bp: tax.rate_bp,
                amount: tax.amount,
            }),
        }
    }

    fn is_zero(number: &i64) -> bool {
        *number == 0
    }
}

/// As a document of automerge, one per sale, with real lists and maps, written in one change.
pub mod automerge {
    use automerge::transaction::Transactable;
    use automerge::{AutoCommit, Change, ObjId, ObjType, ROOT};

    use stockroom_crdt::sale::{Sale, SaleLine};

    /// Bytes of the change that makes the sale: as they are, and deflated where automerge finds that worth while.
    pub fn bytes(sale: &Sale) -> (usize, usize) {
        let mut change = change(sale);
        (change.raw_bytes().len(), change.bytes().len())
    }

    /// The change that makes the sale.
    pub fn encode(sale: &Sale) -> Vec<u8> {
        change(sale).raw_bytes().to_vec()
    }

    /// A document with the change applied.
    pub fn decode(change: &[u8]) -> AutoCommit {
        let mut document = AutoCommit::new();
        let change = Change::from_bytes(change.to_vec()).expect("our own change");
        document.apply_changes([change]).expect("a change without parents applies");
        document
    }

    fn change(sale: &Sale) -> Change {
        let mut document = AutoCommit::new();
        write(sale, &mut document).expect("a fresh document takes any value");
        document.commit();
        document.get_last_local_change().expect("a change was committed")
    }

    fn write(sale: &Sale, document: &mut AutoCommit) -> Result<(), automerge::AutomergeError> {
        document.put(ROOT, "till", u64::from(sale.receipt.till.0))?;
        document.put(ROOT, "till_seq", sale.till_seq)?;
        document.put(ROOT, "receipt", sale.receipt.sequence)?;
        document.put(ROOT, "day", u64::from(sale.day))?;
        document.put(ROOT, "rung_ms", sale.rung_ms)?;
        document.put(ROOT, "currency", sale.currency.as_str())?;
        document.put(ROOT, "cashier", sale.cashier.as_str())?;
        let lines = document.put_object(ROOT, "lines", ObjType::List)?;
        for (place, line) in sale.lines.iter().enumerate() {
            let object = document.insert_object(&lines, place, ObjType::Map)?;
            write_line(line, document, &object)?;
        }
        let tenders = document.put_object(ROOT, "tenders", ObjType::List)?;
        for (place, tender) in sale.tenders.iter().enumerate() {
            let object = document.insert_object(&tenders, place, ObjType::Map)?;
            document.put(&object, "kind", tender.kind.as_str())?;
            document.put(&object, "amount", tender.amount)?;
            if !tender.reference.is_empty() {
                document.put(&object, "reference", tender.reference.as_str())?;
            }
        }
        Ok(())
    }

    fn write_line(line: &SaleLine, document: &mut AutoCommit, at: &ObjId) -> Result<(), automerge::AutomergeError> {
        document.put(at, "sku", line.sku.as_str())?;
        document.put(at, "quantity", line.quantity)?;
        document.put(at, "unit_price", line.unit_price)?;
        if line.discount != 0 {
            document.put(at, "discount", line.discount)?;
        }
        if !line.discount_reason.is_empty() {
            document.put(at, "discount_reason", line.discount_reason.as_str())?;
        }
        if let Some(tax) = &line.tax {
            let object = document.put_object(at, "tax", ObjType::Map)?;
            document.put(&object, "code", tax.code.as_str())?;
            document.put(&object, "rate_bp", u64::from(tax.rate_bp))?;
            document.put(&object, "amount", tax.amount)?;
        }
        Ok(())
    }
}
