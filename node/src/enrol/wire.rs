//! What a new box and the hub say to each other on the enrolment port. Versioned and bounded; a stranger may send anything.

use stockroom_crdt::capability::{Capability, decode_chain, encode_chain};
use stockroom_crdt::codec::{DecodeError, RowReader, Rows, Sink, Source, col};
use stockroom_transport::limits::{CERT_BYTES_MAX, CHAIN_MAX, CSR_BYTES_MAX, EXTRA_NAMES_MAX};

/// A new box asks to be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolRequest {
    /// From the token.
    pub secret: [u8; 16],
    /// Ed25519 public key for its logs.
    pub log_key: [u8; 32],
    /// X25519 public key for parcels to it.
    pub seal_key: [u8; 32],
    /// PKCS #10 request for its TLS certificate, DER.
    pub csr: Vec<u8>,
    /// DNS names and addresses under which the shop's devices reach it.
    pub names: Vec<String>,
}

/// The hub lets it in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolResponse {
    /// The tenant's name, for people.
    pub tenant_name: String,
    /// Leaf and issuer, DER.
    pub certificates: Vec<Vec<u8>>,
    /// From the root to the new node.
    pub chain: Vec<Capability>,
    /// `host:port` of the hub's links, as its configuration says; may be empty.
    pub hubs: Vec<String>,
    /// UDP port of the hub's links, for the address that the box used.
    pub port: u16,
}

impl EnrolRequest {
    /// Bytes for the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        Rows::of(|sink| {
            sink.uint(col::KIND, FORMAT);
            sink.array(col::KEY, &self.secret);
            sink.array(col::DIGEST, &self.log_key);
            sink.array(col::DIGEST, &self.seal_key);
            sink.blob(col::RAW, &self.csr);
            put_texts(sink, &self.names);
        })
    }

    /// Reads what a box sent.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = RowReader::new(bytes);
        check_format(&mut reader)?;
        let request = Self {
            secret: reader.array(col::KEY)?,
            log_key: reader.array(col::DIGEST)?,
            seal_key: reader.array(col::DIGEST)?,
            csr: reader.blob(col::RAW, CSR_BYTES_MAX)?,
            names: take_texts(&mut reader, EXTRA_NAMES_MAX)?,
        };
        reader.finish()?;
        Ok(request)
    }
}

impl EnrolResponse {
    /// Bytes for the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        Rows::of(|sink| {
            sink.uint(col::KIND, FORMAT);
            sink.blob(col::NAME, self.tenant_name.as_bytes());
            sink.uint(col::COUNT, self.certificates.len() as u64);
            self.certificates.iter().for_each(|certificate| sink.blob(col::RAW, certificate));
            encode_chain(&self.chain, sink);
            put_texts(sink, &self.hubs);
            sink.uint(col::A, u64::from(self.port));
        })
    }

    /// Reads what a hub sent.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = RowReader::new(bytes);
        check_format(&mut reader)?;
        let tenant_name = reader.text(col::NAME, TEXT_BYTES_MAX)?;
        let count = reader.count(col::COUNT, CHAIN_MAX, "certificates")?;
        let certificates = (0..count).map(|_| reader.blob(col::RAW, CERT_BYTES_MAX)).collect::<Result<_, _>>()?;
        let response = Self {
            tenant_name,
            certificates,
            chain: decode_chain(&mut reader)?,
            hubs: take_texts(&mut reader, HUBS_MAX)?,
            port: reader.u16(col::A)?,
        };
        reader.finish()?;
        Ok(response)
    }
}

fn check_format(reader: &mut RowReader<'_>) -> Result<(), DecodeError> {
    match reader.uint(col::KIND)? {
        FORMAT => Ok(()),
        _ => Err(DecodeError::Value("version of the enrolment")),
    }
}

fn put_texts(sink: &mut Rows, texts: &[String]) {
    sink.uint(col::COUNT, texts.len() as u64);
    texts.iter().for_each(|text| sink.blob(col::NAME, text.as_bytes()));
}

fn take_texts(reader: &mut RowReader<'_>, max: usize) -> Result<Vec<String>, DecodeError> {
    let count = reader.count(col::COUNT, max, "names")?;
    (0..count).map(|_| reader.text(col::NAME, TEXT_BYTES_MAX)).collect()
}

const FORMAT: u64 = 1;

/// A DNS name has 253 characters at most.
const TEXT_BYTES_MAX: usize = 255;

/// A region has a hub, a spare, and a name for each.
const HUBS_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_messages_read_as_written_and_no_other_bytes_do() {
        let request = EnrolRequest {
            secret: [1; 16],
            log_key: [2; 32],
            seal_key: [3; 32],
            csr: vec![4; 300],
            names: vec!["till.shop.example".into()],
        };
        let bytes = request.to_bytes();
        assert_eq!(EnrolRequest::from_bytes(&bytes), Ok(request));
        for len in 0..bytes.len() {
            assert!(EnrolRequest::from_bytes(&bytes[..len]).is_err());
        }
        let response = EnrolResponse {
            tenant_name: "Corner Shops".into(),
            certificates: vec![vec![5; 700], vec![6; 700]],
            chain: Vec::new(),
            hubs: vec!["hub.example:7401".into()],
            port: 7401,
        };
        let mut bytes = response.to_bytes();
        assert_eq!(EnrolResponse::from_bytes(&bytes), Ok(response));
        bytes[0] = 2;
        assert!(EnrolResponse::from_bytes(&bytes).is_err());
    }
}
