//! The signed receipt: a code on the slip with which a customer returns goods at a store that cannot ask the seller.
//!
//! It says what was sold and for how much, and is signed with the log key of the seller's node. It does not say what came back since: that is
//! why money is given for it only up to a limit, and why whoever paid twice bears it.

use super::judge::Sold;
use crate::capability::{Signer, verify};
use crate::codec::{DecodeError, RowReader, Rows, Sink, Source, col};
use crate::ids::{Actor, Digest, Sku, StoreId, TenantId, TillId};
use crate::limits::{AMOUNT_MAX, ORDER_LINES_MAX, PASS_BYTES_MAX, QUANTITY_MAX};
use crate::money::{Currency, Unit};
use crate::sale::{ReceiptNumber, Sale};

/// What a signed receipt says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// Who sold.
    pub store: StoreId,
    /// Its number there.
    pub number: ReceiptNumber,
    /// Who signed it.
    pub issuer: Actor,
    /// When it was rung up, milliseconds since 1970.
    pub rung_ms: u64,
    /// Of all amounts.
    pub currency: Currency,
    /// What was sold, line by line.
    pub lines: Vec<ReceiptPart>,
}

/// One line of a [`Receipt`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReceiptPart {
    /// What.
    pub sku: Sku,
    /// In which unit.
    pub unit: Unit,
    /// Units and money; none for what was itself a return.
    pub sold: Sold,
}

/// A receipt with its signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedReceipt {
    /// What it says.
    pub receipt: Receipt,
    /// By the issuer's log key, over [`Receipt::digest`].
    pub signature: [u8; 64],
}

impl Receipt {
    /// What a sale of a store was.
    pub fn of(store: StoreId, sale: &Sale, issuer: Actor) -> Self {
        let part = |(line, money): (&crate::sale::SaleLine, i64)| ReceiptPart {
            sku: line.sku.clone(),
            unit: line.unit,
            sold: Sold { units: line.quantity.max(0), amount: money },
        };
        let lines = sale.lines.iter().zip(sale.money_of_lines()).map(part).collect();
        Self { store, number: sale.receipt, issuer, rung_ms: sale.rung_ms, currency: sale.currency, lines }
    }

    /// Units and money, line by line.
    pub fn sold(&self) -> Vec<Sold> {
        self.lines.iter().map(|line| line.sold).collect()
    }

    /// What is signed.
    pub fn digest(&self, tenant: TenantId) -> Digest {
        Digest::of(&[b"stockroom receipt", &tenant.0, &Rows::of(|sink| self.encode(sink))])
    }

    /// Signs it.
    pub fn sign(self, tenant: TenantId, signer: &Signer) -> SignedReceipt {
        let signature = signer.sign(&self.digest(tenant).0);
        SignedReceipt { receipt: self, signature }
    }

    fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::STORE, u64::from(self.store.0));
        sink.uint(col::TILL, u64::from(self.number.till.0));
        sink.uint(col::SERIES, u64::from(self.number.series));
        sink.uint(col::RECEIPT, self.number.sequence);
        self.issuer.encode(sink);
        sink.uint(col::TIME, self.rung_ms);
        self.currency.encode(sink);
        sink.uint(col::LINE_COUNT, self.lines.len() as u64);
        for line in &self.lines {
            line.sku.encode(sink);
            line.unit.encode(sink);
            sink.int(col::QUANTITY, line.sold.units);
            sink.int(col::AMOUNT, line.sold.amount);
        }
    }

    fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let (store, till) = (StoreId(source.u32(col::STORE)?), TillId(source.u32(col::TILL)?));
        let number = ReceiptNumber { till, series: source.u16(col::SERIES)?, sequence: source.uint(col::RECEIPT)? };
        let issuer = Actor::decode(source)?;
        let rung_ms = source.uint(col::TIME)?;
        let currency = Currency::decode(source)?;
        let count = source.count(col::LINE_COUNT, ORDER_LINES_MAX, "lines of a receipt")?;
        let mut lines = Vec::new();
        for _ in 0..count {
            let (sku, unit) = (Sku::decode(source)?, Unit::decode(source)?);
            let units = source.int_within(col::QUANTITY, QUANTITY_MAX, "quantity")?;
            let amount = source.int_within(col::AMOUNT, AMOUNT_MAX, "amount")?;
            if units < 0 || amount < 0 {
                return Err(DecodeError::Value("line of a receipt"));
            }
            lines.push(ReceiptPart { sku, unit, sold: Sold { units, amount } });
        }
        Ok(Self { store, number, issuer, rung_ms, currency, lines })
    }
}

impl SignedReceipt {
    /// True when the holder of `key` signed it in this tenant.
    pub fn verify(&self, tenant: TenantId, key: &[u8; 32]) -> bool {
        verify(key, &self.receipt.digest(tenant).0, &self.signature)
    }

    /// Bytes for a QR code; the first is the format. `None` for a receipt that is too long for one.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let mut out = vec![FORMAT];
        out.extend(Rows::of(|sink| {
            self.receipt.encode(sink);
            sink.array(col::SIGNATURE, &self.signature);
        }));
        (out.len() <= PASS_BYTES_MAX && self.receipt.lines.len() <= ORDER_LINES_MAX).then_some(out)
    }

    /// From [`SignedReceipt::to_bytes`], as somebody shows it: hostile until verified.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > PASS_BYTES_MAX {
            return Err(DecodeError::Limit("bytes of a receipt"));
        }
        let Some((&FORMAT, rest)) = bytes.split_first() else { return Err(DecodeError::Value("format of a receipt")) };
        let mut reader = RowReader::new(rest);
        let receipt = Receipt::decode(&mut reader)?;
        let signed = Self { receipt, signature: reader.array(col::SIGNATURE)? };
        reader.finish()?;
        if signed.to_bytes().as_deref() == Some(bytes) { Ok(signed) } else { Err(DecodeError::Canonical) }
    }
}

/// The first byte of a signed receipt; a pass has another one.
const FORMAT: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_believed_as_it_was_signed_and_in_its_tenant_only() {
        let (tenant, signer) = (TenantId([5; 16]), Signer::from_seed(&[3; 32]));
        let line = |sku: &str, units, amount| ReceiptPart {
            sku: Sku::parse(sku).unwrap(),
            unit: Unit::Each,
            sold: Sold { units, amount },
        };
        let receipt = Receipt {
            store: StoreId(7),
            number: ReceiptNumber { till: TillId(3), series: 1, sequence: 4_711 },
            issuer: Actor::new(2, 1),
            rung_ms: 1_750_000_000_000,
            currency: Currency::parse("EUR").unwrap(),
            lines: vec![line("tea-7", 2, 998), line("42", 0, 0)],
        };
        let signed = receipt.sign(tenant, &signer);
        let bytes = signed.to_bytes().unwrap();
        assert_eq!(SignedReceipt::from_bytes(&bytes), Ok(signed.clone()));
        assert!(signed.verify(tenant, &signer.public()) && !signed.verify(TenantId([6; 16]), &signer.public()));
        for at in 0..bytes.len() {
            let mut bent = bytes.clone();
            bent[at] ^= 1;
            let believed = SignedReceipt::from_bytes(&bent).is_ok_and(|bent| bent.verify(tenant, &signer.public()));
            assert!(!believed, "byte {at}");
            assert!(SignedReceipt::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
        }
    }
}
