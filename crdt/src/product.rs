//! Products: what a SKU is, which barcodes mean it, and whether it must not be sold.

use crate::codec::{DecodeError, Sink, Source, col};
use crate::gtin::Gtin;
use crate::ids::{Code, Sku};
use crate::limits::{BARCODES_MAX, NAME_BYTES_MAX};
use crate::money::Unit;

/// A sales channel.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Channel {
    /// Sold over the counter.
    Till = 0,
    /// Ordered on line, collected in the store.
    Pickup = 1,
    /// Ordered on line, delivered from the store.
    Delivery = 2,
}

impl Channel {
    /// All channels.
    pub const ALL: [Self; 3] = [Self::Till, Self::Pickup, Self::Delivery];

    /// The word for the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Till => "till",
            Self::Pickup => "pickup",
            Self::Delivery => "delivery",
        }
    }

    /// Takes the word that [`Channel::as_str`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == text)
    }
}

/// One barcode of a product.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Barcode {
    /// The number.
    pub gtin: Gtin,
    /// How many units one scan of it stands for: 1 for the piece, 12 for a case of twelve.
    pub pack: u32,
}

/// What a SKU is. The whole record is one cell; a recall is another ([`Recall`]), so that it can travel alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Product {
    /// Its stock keeping unit.
    pub sku: Sku,
    /// Its name for people, 1-200 bytes.
    pub name: String,
    /// In what it is counted and sold.
    pub unit: Unit,
    /// Its barcodes, in the order of their numbers.
    pub barcodes: Vec<Barcode>,
    /// Its number in in-store codes (prefix 20-29), 0 for none.
    pub item_number: u32,
    /// Which tax applies, by the tenant's own code.
    pub tax_code: Code,
    /// Department or category, for reports.
    pub department: Code,
    /// Who owns the goods: empty for the store's own, otherwise a consignor or concession.
    pub owner: Code,
    /// Age that a buyer must have reached, 0 for none.
    pub age_min: u8,
    /// Channels on which it is not offered, one bit per [`Channel`].
    pub excluded: u8,
    /// True once it is no longer part of the assortment.
    pub discontinued: bool,
}

impl Product {
    /// True when the product is not offered on `channel`.
    pub fn is_excluded(&self, channel: Channel) -> bool {
        self.excluded & (1 << channel as u8) != 0
    }

    /// Writes the product.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.sku.encode(sink);
        sink.blob(col::NAME, self.name.as_bytes());
        self.unit.encode(sink);
        sink.uint(col::COUNT, self.barcodes.len() as u64);
        for barcode in &self.barcodes {
            barcode.gtin.encode(sink);
            sink.uint(col::PACK, u64::from(barcode.pack));
        }
        sink.uint(col::A, u64::from(self.item_number));
        self.tax_code.encode(sink, col::TAX_CODE);
        self.department.encode(sink, col::REFERENCE);
        self.owner.encode(sink, col::ENTITY);
        sink.uint(col::B, u64::from(self.age_min));
        sink.uint(col::FLAGS, u64::from(self.excluded) << 1 | u64::from(self.discontinued));
    }

    /// Reads what [`Product::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let sku = Sku::decode(source)?;
        let name = source.text(col::NAME, NAME_BYTES_MAX)?;
        let unit = Unit::decode(source)?;
        let count = source.count(col::COUNT, BARCODES_MAX, "barcodes")?;
        let mut barcodes = Vec::new();
        for _ in 0..count {
            barcodes.push(Barcode { gtin: Gtin::decode(source)?, pack: source.u32(col::PACK)? });
        }
        let item_number = source.u32(col::A)?;
        let tax_code = Code::decode(source, col::TAX_CODE)?;
        let department = Code::decode(source, col::REFERENCE)?;
        let owner = Code::decode(source, col::ENTITY)?;
        let age_min = source.u8(col::B)?;
        let flags = source.u8(col::FLAGS)?;
        let ordered = barcodes.windows(2).all(|pair| pair[0].gtin < pair[1].gtin);
        if name.is_empty() || !ordered || barcodes.iter().any(|b| b.pack == 0) || flags >= 16 {
            return Err(DecodeError::Value("product"));
        }
        Ok(Self {
            sku,
            name,
            unit,
            barcodes,
            item_number,
            tax_code,
            department,
            owner,
            age_min,
            excluded: flags >> 1,
            discontinued: flags & 1 == 1,
        })
    }
}

/// A product recall: stops a line at every till, also offline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recall {
    /// What must not be sold.
    pub sku: Sku,
    /// Only this lot; empty for all of them.
    pub lot: Code,
    /// True while the stop holds; a lifted recall stays as a record.
    pub active: bool,
    /// Why, for the cashier.
    pub reason: Code,
}

impl Recall {
    /// The cell's entity: SKU, then lot, so that recalls of two lots stand side by side.
    pub fn entity(&self) -> Vec<u8> {
        [self.sku.as_str().as_bytes(), &[0], self.lot.as_str().as_bytes()].concat()
    }

    /// What the entities of all recalls of `sku` begin with.
    pub fn entities_of(sku: &Sku) -> Vec<u8> {
        [sku.as_str().as_bytes(), &[0]].concat()
    }

    /// Writes the recall.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.sku.encode(sink);
        self.lot.encode(sink, col::LOT);
        sink.uint(col::FLAGS, self.active.into());
        self.reason.encode(sink, col::REASON);
    }

    /// Reads what [`Recall::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        Ok(Self {
            sku: Sku::decode(source)?,
            lot: Code::decode(source, col::LOT)?,
            active: source.flag(col::FLAGS)?,
            reason: Code::decode(source, col::REASON)?,
        })
    }
}
