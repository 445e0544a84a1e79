//! Who a certificate says its holder is. Parses names only; whether the certificate is genuine is decided in `trust`.
//!
//! A leaf carries exactly one URI `stockroom://<tenant>/node/<n>/<hub|store>/<store>`, a hub's issuing certificate one URI
//! `stockroom://<tenant>/issuer/<n>/<first>/<last>`, the root `stockroom://<tenant>/root`. Subject names are for people only.

use std::fmt;
use std::ops::RangeInclusive;

use ring::digest;
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, GeneralName, ParsedExtension, X509Certificate};

use crate::limits::CERT_BYTES_MAX;

/// A chain of shops under one root. 128 random bits, written as 32 hexadecimal digits in names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(pub [u8; 16]);

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TenantId {
    /// Reads 32 lower-case hexadecimal digits, and nothing else.
    pub fn parse(text: &str) -> Option<TenantId> {
        let digits = text.as_bytes();
        if digits.len() != 32 {
            return None;
        }
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
        }
        Some(TenantId(bytes))
    }
}

/// What a node is. One byte on the wire: 1 hub, 2 store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Role {
    /// Serves stores: regional hub or cloud.
    Hub = 1,
    /// Runs one store.
    Store = 2,
}

impl Role {
    /// The role that this byte stands for.
    pub fn from_u8(byte: u8) -> Option<Role> {
        match byte {
            1 => Some(Role::Hub),
            2 => Some(Role::Store),
            _ => None,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Role::Hub => "hub",
            Role::Store => "store",
        }
    }
}

/// A peer as its verified leaf certificate names it. Nothing in it was said by the peer itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerIdentity {
    /// Tenant of the chain; always our own.
    pub tenant: TenantId,
    /// Node id, unique in the tenant.
    pub node: u32,
    /// Hub or store.
    pub role: Role,
    /// Store id, 0 for a hub.
    pub store: u32,
    /// SHA-256 of the leaf certificate's DER: what a fence can name.
    pub cert_sha256: [u8; 32],
}

/// Why a certificate's names were refused. The connection that showed it is closed; retrying with the same certificate is useless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The chain is empty, or too long, or a certificate is too large or not X.509.
    #[error("certificate does not parse")]
    Malformed,
    /// There is no `stockroom://` URI, or more than one, or it does not parse.
    #[error("certificate names no node")]
    NoIdentity,
    /// The leaf or its issuer belongs to another tenant.
    #[error("certificate of another tenant")]
    OtherTenant,
    /// The issuing hub's range does not hold the leaf's node id.
    #[error("node id outside its issuer's range")]
    OutsideRange,
}

/// Reads the identity out of a presented chain (leaf first): tenant, name and issuer's range are checked, signatures are not.
pub(crate) fn peer_identity(chain: &[CertificateDer<'_>], tenant: TenantId) -> Result<PeerIdentity, IdentityError> {
    let (leaf, rest) = chain.split_first().ok_or(IdentityError::Malformed)?;
    let peer = match named(leaf)? {
        Named::Node(peer) => peer,
        Named::Issuer { .. } | Named::Root(_) => return Err(IdentityError::NoIdentity),
    };
    if peer.tenant != tenant {
        return Err(IdentityError::OtherTenant);
    }
    match rest.first().map(named).transpose()? {
        None => Ok(peer),
        Some(Named::Root(of)) if of == tenant => Ok(peer),
        Some(Named::Issuer { tenant: of, nodes, .. }) if of == tenant && nodes.contains(&peer.node) => Ok(peer),
        Some(Named::Issuer { tenant: of, .. }) if of == tenant => Err(IdentityError::OutsideRange),
        Some(Named::Issuer { .. } | Named::Root(_)) => Err(IdentityError::OtherTenant),
        Some(Named::Node(_)) => Err(IdentityError::NoIdentity),
    }
}

/// What one of our certificates is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Root(TenantId),
    Issuer { tenant: TenantId, hub: u32, nodes: RangeInclusive<u32> },
    Node(PeerIdentity),
}

/// Reads the single `stockroom://` URI of a certificate.
pub(crate) fn named(cert: &CertificateDer<'_>) -> Result<Named, IdentityError> {
    let parsed = parse(cert)?;
    let mut uris = parsed.extensions().iter().filter_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) => Some(names),
        _ => None,
    });
    let names = uris.next().ok_or(IdentityError::NoIdentity)?;
    let mut ours = names.general_names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    });
    match (ours.next(), ours.next()) {
        (Some(uri), None) => parse_uri(uri, sha256(cert)).ok_or(IdentityError::NoIdentity),
        _ => Err(IdentityError::NoIdentity),
    }
}

/// The second after which a certificate is no longer valid.
pub(crate) fn not_after_unix_s(cert: &CertificateDer<'_>) -> Result<u64, IdentityError> {
    u64::try_from(parse(cert)?.validity().not_after.timestamp()).map_err(|_| IdentityError::Malformed)
}

/// From when until when a certificate is valid.
pub(crate) fn validity_unix_s(cert: &CertificateDer<'_>) -> Result<(u64, u64), IdentityError> {
    let parsed = parse(cert)?;
    let second = |time: x509_parser::time::ASN1Time| u64::try_from(time.timestamp());
    let validity = parsed.validity();
    let both = second(validity.not_before).and_then(|from| Ok((from, second(validity.not_after)?)));
    both.map_err(|_| IdentityError::Malformed)
}

/// DNS names and addresses in a node's leaf that its links have no use for: those for people.
pub(crate) fn extra_names(cert: &CertificateDer<'_>) -> Result<Vec<String>, IdentityError> {
    let parsed = parse(cert)?;
    let names = parsed.subject_alternative_name().map_err(|_| IdentityError::Malformed)?;
    let general = names.map(|names| names.value.general_names.clone()).unwrap_or_default();
    let text = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) if !name.ends_with(".stockroom.internal") => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|bytes| std::net::IpAddr::from(bytes).to_string()),
            _ => <[u8; 16]>::try_from(*bytes).ok().map(|bytes| std::net::IpAddr::from(bytes).to_string()),
        },
        _ => None,
    };
    Ok(general.iter().filter_map(text).collect())
}

/// DNS name in the leaf of a node, and the TLS server name used to dial it.
pub fn node_dns_name(tenant: TenantId, node: u32) -> String {
    format!("node-{node}.{tenant}.stockroom.internal")
}

/// TLS server name used to dial an address whose node is not known yet. No certificate carries it.
pub(crate) fn any_dns_name(tenant: TenantId) -> String {
    format!("any.{tenant}.stockroom.internal")
}

pub(crate) fn root_uri(tenant: TenantId) -> String {
    format!("stockroom://{tenant}/root")
}

pub(crate) fn issuer_uri(tenant: TenantId, hub: u32, nodes: &RangeInclusive<u32>) -> String {
    format!("stockroom://{tenant}/issuer/{hub}/{}/{}", nodes.start(), nodes.end())
}

pub(crate) fn node_uri(tenant: TenantId, node: u32, role: Role, store: u32) -> String {
    format!("stockroom://{tenant}/node/{node}/{}/{store}", role.word())
}

/// SHA-256 of any bytes; of a root certificate's DER it is the fingerprint that an enrolment token carries.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

fn parse<'a>(cert: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, IdentityError> {
    if cert.len() > CERT_BYTES_MAX {
        return Err(IdentityError::Malformed);
    }
    match X509Certificate::from_der(cert) {
        Ok(([], parsed)) => Ok(parsed),
        _ => Err(IdentityError::Malformed),
    }
}

fn parse_uri(uri: &str, cert_sha256: [u8; 32]) -> Option<Named> {
    let mut parts = uri.strip_prefix("stockroom://")?.split('/');
    let tenant = TenantId::parse(parts.next()?)?;
    let named = match parts.next()? {
        "root" => Named::Root(tenant),
        "issuer" => {
            let hub = number(parts.next()?)?;
            let (first, last) = (number(parts.next()?)?, number(parts.next()?)?);
            Named::Issuer { tenant, hub, nodes: first..=last }
        }
        "node" => {
            let node = number(parts.next()?)?;
            let word = parts.next()?;
            let role = [Role::Hub, Role::Store].into_iter().find(|role| role.word() == word)?;
            Named::Node(PeerIdentity { tenant, node, role, store: number(parts.next()?)?, cert_sha256 })
        }
        _ => return None,
    };
    parts.next().is_none().then_some(named)
}

/// A decimal without sign or leading zero, so that a name has one spelling.
fn number(text: &str) -> Option<u32> {
    let plain = text == "0" || !text.starts_with(['0', '+']);
    plain.then(|| text.parse().ok()).flatten()
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: TenantId = TenantId([0xab; 16]);

    #[test]
    fn names_survive_a_round_trip() {
        let parsed = parse_uri(&node_uri(TENANT, 7, Role::Store, 12), [1; 32]);
        assert_eq!(
            parsed,
            Some(Named::Node(PeerIdentity {
                tenant: TENANT,
                node: 7,
                role: Role::Store,
                store: 12,
                cert_sha256: [1; 32]
            }))
        );
        assert_eq!(parse_uri(&root_uri(TENANT), [0; 32]), Some(Named::Root(TENANT)));
        let issuer = parse_uri(&issuer_uri(TENANT, 1, &(1..=999)), [0; 32]);
        assert_eq!(issuer, Some(Named::Issuer { tenant: TENANT, hub: 1, nodes: 1..=999 }));
    }

    #[test]
    fn a_name_has_one_spelling() {
        let tenant = TENANT.to_string();
        let spelled = [
            format!("stockroom://{tenant}/node/07/store/12"),
            format!("stockroom://{tenant}/node/+7/store/12"),
            format!("stockroom://{tenant}/node/7/store/12/"),
            format!("stockroom://{tenant}/node/7/Store/12"),
            format!("stockroom://{tenant}/node/7/store"),
            format!("stockroom://{}/node/7/store/12", tenant.to_uppercase()),
            format!("http://{tenant}/node/7/store/12"),
            format!("stockroom://{tenant}/node/4294967296/store/12"),
        ];
        for uri in spelled {
            assert_eq!(parse_uri(&uri, [0; 32]), None, "{uri}");
        }
    }
}
