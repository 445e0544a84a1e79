//! The signed pass: what a customer's phone shows at the counter, so that a store which never heard of the order can verify it, pick on
//! arrival and hand over.
//!
//! It says what an offer says of the lines, and is signed with the log key of the order's home. It names nobody. It lives for half an
//! hour and is renewed by the phone; while one is out, its home does not cancel alone.

use super::OrderId;
use super::header::decode_channel;
use super::offer::{Offer, OfferLine, decode_lines, encode_lines};
use crate::capability::{Signer, verify};
use crate::codec::{DecodeError, RowReader, Rows, Sink, Source, col};
use crate::ids::{Actor, Code, Digest, StoreId, TenantId};
use crate::limits::PASS_BYTES_MAX;
use crate::money::Currency;
use crate::product::Channel;

/// What a pass says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pass {
    /// At which store the goods are.
    pub store: StoreId,
    /// Of which order.
    pub order: OrderId,
    /// Of which offer.
    pub generation: u16,
    /// Who made the promises behind the lines, and signed the pass.
    pub issuer: Actor,
    /// How the customer gets the goods.
    pub channel: Channel,
    /// The legal entity that sold; empty for the store's own.
    pub entity: Code,
    /// Of all amounts.
    pub currency: Currency,
    /// When the order is due, milliseconds since 1970.
    pub due_ms: u64,
    /// When the pass was issued, milliseconds since 1970.
    pub issued_ms: u64,
    /// When it runs out.
    pub until_ms: u64,
    /// Whom the customer sends, in a word that staff can ask for; empty if the customer comes.
    pub delegate: Code,
    /// What is to be handed over.
    pub lines: Vec<OfferLine>,
}

/// A pass with its signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedPass {
    /// What it says.
    pub pass: Pass,
    /// By the issuer's log key, over [`Pass::digest`].
    pub signature: [u8; 64],
}

impl Pass {
    /// What is signed.
    pub fn digest(&self, tenant: TenantId) -> Digest {
        Digest::of(&[b"stockroom pass", &tenant.0, &Rows::of(|sink| self.encode(sink))])
    }

    /// Signs it.
    pub fn sign(self, tenant: TenantId, signer: &Signer) -> SignedPass {
        let signature = signer.sign(&self.digest(tenant).0);
        SignedPass { pass: self, signature }
    }

    /// The offer that it stands for, at a store that did not get it.
    pub fn offer(&self) -> Offer {
        Offer {
            order: self.order,
            generation: self.generation,
            issuer: self.issuer,
            channel: self.channel,
            speculative: false,
            entity: self.entity.clone(),
            currency: self.currency,
            due_ms: self.due_ms,
            accept_within_ms: 0,
            release_ms: 0,
            hold_ms: 0,
            code: [0; 16],
            phone: [0; 8],
            contact: Vec::new(),
            lines: self.lines.clone(),
        }
    }

    fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::STORE, u64::from(self.store.0));
        self.order.encode(sink);
        sink.uint(col::C, u64::from(self.generation));
        self.issuer.encode(sink);
        sink.uint(col::FLAGS, self.channel as u64);
        self.entity.encode(sink, col::ENTITY);
        self.currency.encode(sink);
        [self.due_ms, self.issued_ms, self.until_ms].into_iter().for_each(|time| sink.uint(col::TIME, time));
        self.delegate.encode(sink, col::NAME);
        encode_lines(&self.lines, sink);
    }

    fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let store = StoreId(source.u32(col::STORE)?);
        let order = OrderId::decode(source)?;
        let generation = source.u16(col::C)?;
        let issuer = Actor::decode(source)?;
        let channel = decode_channel(source.uint(col::FLAGS)?)?;
        let entity = Code::decode(source, col::ENTITY)?;
        let currency = Currency::decode(source)?;
        let [due_ms, issued_ms, until_ms] = [source.uint(col::TIME)?, source.uint(col::TIME)?, source.uint(col::TIME)?];
        let delegate = Code::decode(source, col::NAME)?;
        let lines = decode_lines(source)?;
        if generation == 0 {
            return Err(DecodeError::Value("generation"));
        }
        Ok(Self {
            store,
            order,
            generation,
            issuer,
            channel,
            entity,
            currency,
            due_ms,
            issued_ms,
            until_ms,
            delegate,
            lines,
        })
    }
}

impl SignedPass {
    /// True when the holder of `key` signed it in this tenant.
    pub fn verify(&self, tenant: TenantId, key: &[u8; 32]) -> bool {
        verify(key, &self.pass.digest(tenant).0, &self.signature)
    }

    /// Bytes for a QR code; the first is the format.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![FORMAT];
        out.extend(Rows::of(|sink| self.encode(sink)));
        out
    }

    /// From [`SignedPass::to_bytes`], as somebody shows it: hostile until verified.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > PASS_BYTES_MAX {
            return Err(DecodeError::Limit("bytes of a pass"));
        }
        let Some((&FORMAT, rest)) = bytes.split_first() else { return Err(DecodeError::Value("format of a pass")) };
        let mut reader = RowReader::new(rest);
        let pass = Self::decode(&mut reader)?;
        reader.finish()?;
        if pass.to_bytes() == bytes { Ok(pass) } else { Err(DecodeError::Canonical) }
    }

    /// Writes pass and signature.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.pass.encode(sink);
        sink.array(col::SIGNATURE, &self.signature);
    }

    /// Reads what [`SignedPass::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let pass = Pass::decode(source)?;
        Ok(Self { pass, signature: source.array(col::SIGNATURE)? })
    }
}

/// The first byte of a pass.
const FORMAT: u8 = 1;
