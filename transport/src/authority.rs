//! The tenant's certificate authority: a root that is taken away after setup, and an issuer at each hub.
//!
//! All keys are ECDSA P-256. A leaf's names come from the issuer's arguments only: a signing request proves possession of a key and
//! says nothing else that is believed. Files and their permissions are the caller's business.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SerialNumber, date_time_ymd,
};
use ring::rand::{SecureRandom, SystemRandom};
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::credential::{certificates_from_pem, pem_of};
use crate::identity::{Named, Role, TenantId, issuer_uri, named, node_dns_name, node_uri, root_uri, sha256};
use crate::limits::{BACKDATE_DAYS, CSR_BYTES_MAX, EXTRA_NAMES_MAX, ISSUER_DAYS, LEAF_DAYS, ROOT_DAYS};

/// Why nothing was issued or loaded. Nothing was written anywhere.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A signature, a key or a structure was refused by the certificate library.
    #[error("certificate operation failed")]
    Certificate(#[from] rcgen::Error),
    /// The PEM text holds no certificate of the expected kind.
    #[error("not a {0} certificate of ours")]
    Kind(&'static str),
    /// The private key belongs to another certificate.
    #[error("key and certificate do not belong together")]
    KeyMismatch,
    /// The signing request is too long, unreadable, not P-256, or its signature is wrong.
    #[error("signing request refused")]
    Request,
    /// The node id is not in the range that the root gave this hub.
    #[error("node {node} is outside this issuer's range")]
    OutsideRange {
        /// The node id that was asked for.
        node: u32,
    },
    /// A name is empty, too long, a wildcard, or one of the names that stand for node ids.
    #[error("name {0:?} cannot be certified")]
    Name(String),
    /// `now_unix_s` is not a time at which a certificate can begin.
    #[error("the clock is out of range")]
    Clock,
    /// The operating system gave no random bytes.
    #[error("no randomness")]
    Random,
}

/// The tenant's root certificate with its private key.
pub struct TenantRoot {
    tenant: TenantId,
    cert: CertificateDer<'static>,
    signer: rcgen::Issuer<'static, KeyPair>,
}

impl TenantRoot {
    /// Makes a new tenant's root, valid for 20 years. `name` is for people, 1 to 40 characters.
    pub fn create(name: &str, tenant: TenantId, now_unix_s: u64) -> Result<TenantRoot, AuthorityError> {
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
            return Err(AuthorityError::Name(name.to_owned()));
        }
        let key = new_key()?;
        let mut params = authority_params(now_unix_s, ROOT_DAYS, BasicConstraints::Constrained(1))?;
        params.distinguished_name.push(DnType::CommonName, format!("{name} root {}", short(tenant)));
        params.subject_alt_names.push(SanType::URI(ia5(root_uri(tenant))?));
        let cert = params.self_signed(&key)?.der().clone();
        Ok(TenantRoot { tenant, cert, signer: rcgen::Issuer::new(params, key) })
    }

    /// Reads a root back from its two files.
    pub fn load(cert_pem: &str, key_pem: &str) -> Result<TenantRoot, AuthorityError> {
        let cert = only_certificate(cert_pem, "root")?;
        let Ok(Named::Root(tenant)) = named(&cert) else { return Err(AuthorityError::Kind("root")) };
        let signer = signer(&cert, key_pem)?;
        Ok(TenantRoot { tenant, cert, signer })
    }

    /// Makes the issuer that stays at hub `hub`, valid for 10 years. It can name only nodes in `nodes`, its own id included.
    pub fn issue_intermediate(
        &self,
        hub: u32,
        nodes: RangeInclusive<u32>,
        now_unix_s: u64,
    ) -> Result<Issuer, AuthorityError> {
        if !nodes.contains(&hub) {
            return Err(AuthorityError::OutsideRange { node: hub });
        }
        let key = new_key()?;
        let mut params = authority_params(now_unix_s, ISSUER_DAYS, BasicConstraints::Constrained(0))?;
        params.distinguished_name.push(DnType::CommonName, format!("Stockroom hub {hub} {}", short(self.tenant)));
        params.subject_alt_names.push(SanType::URI(ia5(issuer_uri(self.tenant, hub, &nodes))?));
        let cert = params.signed_by(&key, &self.signer)?.der().clone();
        let signer = rcgen::Issuer::new(params, key);
        Ok(Issuer { tenant: self.tenant, nodes, cert, root: self.cert.clone(), signer })
    }

    /// The tenant.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The root certificate, which every node keeps.
    pub fn cert_pem(&self) -> String {
        pem_of(std::slice::from_ref(&self.cert))
    }

    /// The root's private key (PKCS #8). Belongs into a file of its own that leaves the machine after setup.
    pub fn key_pem(&self) -> String {
        self.signer.key().serialize_pem()
    }

    /// SHA-256 of the root certificate's DER: what an enrolment token carries.
    pub fn fingerprint(&self) -> [u8; 32] {
        sha256(&self.cert)
    }
}

/// The names of a leaf certificate, all chosen by the issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafNames {
    /// Node id; must lie in the issuer's range.
    pub node: u32,
    /// Hub or store.
    pub role: Role,
    /// Store id, 0 for a hub.
    pub store: u32,
    /// DNS names and IP addresses under which browsers reach the node's pages; at most 16.
    pub extra_names: Vec<String>,
}

/// A hub's issuing certificate with its private key.
pub struct Issuer {
    tenant: TenantId,
    nodes: RangeInclusive<u32>,
    cert: CertificateDer<'static>,
    root: CertificateDer<'static>,
    signer: rcgen::Issuer<'static, KeyPair>,
}

impl Issuer {
    /// Reads an issuer back: the texts of [`Issuer::chain_pem`] and [`Issuer::key_pem`].
    pub fn load(chain_pem: &str, key_pem: &str) -> Result<Issuer, AuthorityError> {
        let certs = certificates_from_pem(chain_pem).map_err(|_| AuthorityError::Kind("issuer"))?;
        let [cert, root] = <[_; 2]>::try_from(certs).map_err(|_| AuthorityError::Kind("issuer"))?;
        match (named(&cert), named(&root)) {
            (Ok(Named::Issuer { tenant, nodes, .. }), Ok(Named::Root(of))) if of == tenant => {
                let signer = signer(&cert, key_pem)?;
                Ok(Issuer { tenant, nodes, cert, root, signer })
            }
            _ => Err(AuthorityError::Kind("issuer")),
        }
    }

    /// Certifies the key of a PKCS #10 request (DER) for 825 days. Returns leaf and issuer certificate; the root is not included.
    /// The request's own names and extensions are ignored.
    pub fn issue_from_csr(
        &self,
        csr_der: &[u8],
        leaf: &LeafNames,
        now_unix_s: u64,
    ) -> Result<Vec<CertificateDer<'static>>, AuthorityError> {
        if !self.nodes.contains(&leaf.node) {
            return Err(AuthorityError::OutsideRange { node: leaf.node });
        }
        if csr_der.len() > CSR_BYTES_MAX {
            return Err(AuthorityError::Request);
        }
        let request = CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(csr_der))
            .map_err(|_| AuthorityError::Request)?;
        if request.public_key.algorithm() != &PKCS_ECDSA_P256_SHA256 {
            return Err(AuthorityError::Request);
        }
        let params = leaf_params(self.tenant, leaf, now_unix_s)?;
        let cert = params.signed_by(&request.public_key, &self.signer)?;
        Ok(vec![cert.der().clone(), self.cert.clone()])
    }

    /// The tenant.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Node ids that this issuer may name.
    pub fn nodes(&self) -> RangeInclusive<u32> {
        self.nodes.clone()
    }

    /// Issuer and root certificate, in this order.
    pub fn chain_pem(&self) -> String {
        pem_of(&[self.cert.clone(), self.root.clone()])
    }

    /// The root certificate, which every node keeps.
    pub fn root_pem(&self) -> String {
        pem_of(std::slice::from_ref(&self.root))
    }

    /// The issuer's private key (PKCS #8); stays at the hub, mode 0600.
    pub fn key_pem(&self) -> String {
        self.signer.key().serialize_pem()
    }
}

/// Makes a node's key and the request that proves it: `(PKCS #8 PEM, PKCS #10 DER)`. The key never leaves the node.
pub fn new_key_and_csr() -> Result<(String, Vec<u8>), AuthorityError> {
    let key = new_key()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "stockroom node");
    let request = params.serialize_request(&key)?;
    Ok((key.serialize_pem(), request.der().to_vec()))
}

fn leaf_params(tenant: TenantId, leaf: &LeafNames, now_unix_s: u64) -> Result<CertificateParams, AuthorityError> {
    if let Some(name) = leaf.extra_names.get(EXTRA_NAMES_MAX) {
        return Err(AuthorityError::Name(name.clone()));
    }
    let mut params = dated_params(now_unix_s, LEAF_DAYS)?;
    params.distinguished_name.push(DnType::CommonName, format!("Stockroom node {}", leaf.node));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.subject_alt_names = vec![
        SanType::URI(ia5(node_uri(tenant, leaf.node, leaf.role, leaf.store))?),
        SanType::DnsName(ia5(node_dns_name(tenant, leaf.node))?),
    ];
    for name in &leaf.extra_names {
        params.subject_alt_names.push(extra_name(tenant, name)?);
    }
    Ok(params)
}

/// A name for people's browsers; never one that the transport dials by.
fn extra_name(tenant: TenantId, name: &str) -> Result<SanType, AuthorityError> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let refused = || AuthorityError::Name(name.to_owned());
    let label_ok = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let internal = format!("{tenant}.stockroom.internal");
    if name.len() > 253 || !name.split('.').all(label_ok) || name.to_ascii_lowercase().ends_with(&internal) {
        return Err(refused());
    }
    ia5(name.to_owned()).map(SanType::DnsName).map_err(|_| refused())
}

pub(crate) fn authority_params(
    now_unix_s: u64,
    days: u64,
    constraints: BasicConstraints,
) -> Result<CertificateParams, AuthorityError> {
    let mut params = dated_params(now_unix_s, days)?;
    params.is_ca = IsCa::Ca(constraints);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

pub(crate) fn dated_params(now_unix_s: u64, days: u64) -> Result<CertificateParams, AuthorityError> {
    if now_unix_s > CLOCK_UNIX_S_MAX {
        return Err(AuthorityError::Clock);
    }
    let mut serial = [0; 16];
    SystemRandom::new().fill(&mut serial).map_err(|_| AuthorityError::Random)?;
    // RFC 5280, 4.1.2.2: a serial is positive; a set top bit would cost a leading zero byte.
    serial[0] = serial[0] & 0x3f | 0x40;
    let mut params = CertificateParams::default();
    begin_at(&mut params, now_unix_s);
    params.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(now_unix_s + days * DAY_S);
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// Lets a certificate begin as if it was issued at this time.
pub(crate) fn begin_at(params: &mut CertificateParams, now_unix_s: u64) {
    let since = Duration::from_secs(now_unix_s.saturating_sub(BACKDATE_DAYS * DAY_S));
    params.not_before = date_time_ymd(1970, 1, 1) + since;
}

pub(crate) fn new_key() -> Result<KeyPair, AuthorityError> {
    Ok(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?)
}

pub(crate) fn signer(
    cert: &CertificateDer<'static>,
    key_pem: &str,
) -> Result<rcgen::Issuer<'static, KeyPair>, AuthorityError> {
    let key = KeyPair::from_pem(key_pem)?;
    let (_, parsed) = X509Certificate::from_der(cert).map_err(|_| rcgen::Error::CouldNotParseCertificate)?;
    if parsed.public_key().raw != key.subject_public_key_info() {
        return Err(AuthorityError::KeyMismatch);
    }
    Ok(rcgen::Issuer::from_ca_cert_der(cert, key)?)
}

pub(crate) fn only_certificate(pem: &str, kind: &'static str) -> Result<CertificateDer<'static>, AuthorityError> {
    let certs = certificates_from_pem(pem).map_err(|_| AuthorityError::Kind(kind))?;
    let [cert] = <[_; 1]>::try_from(certs).map_err(|_| AuthorityError::Kind(kind))?;
    Ok(cert)
}

pub(crate) fn ia5(text: String) -> Result<rcgen::string::Ia5String, AuthorityError> {
    Ok(text.try_into()?)
}

/// Eight digits of the tenant: enough to tell two roots of the same name apart in a listing.
fn short(tenant: TenantId) -> String {
    tenant.to_string().chars().take(8).collect()
}

const DAY_S: u64 = 86_400;

/// Common names end at 64 characters (X.520); the rest is ours.
const NAME_CHARS_MAX: usize = 40;

/// Year 6000: dates beyond do not concern us, and adding 20 years still fits X.509's four digits.
const CLOCK_UNIX_S_MAX: u64 = 127_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_000_000;
    const TENANT: TenantId = TenantId([7; 16]);

    fn names(node: u32) -> LeafNames {
        LeafNames { node, role: Role::Store, store: 12, extra_names: vec!["localhost".into(), "127.0.0.1".into()] }
    }

    #[test]
    fn an_issuer_survives_its_files() {
        let root = TenantRoot::create("Corner Shops", TENANT, NOW).unwrap();
        let again = TenantRoot::load(&root.cert_pem(), &root.key_pem()).unwrap();
        assert_eq!(again.fingerprint(), root.fingerprint());
        let issuer = again.issue_intermediate(1, 1..=99, NOW).unwrap();
        let issuer = Issuer::load(&issuer.chain_pem(), &issuer.key_pem()).unwrap();
        let (_, csr) = new_key_and_csr().unwrap();
        let chain = issuer.issue_from_csr(&csr, &names(5), NOW).unwrap();
        let peer = crate::identity::peer_identity(&chain, TENANT).unwrap();
        assert_eq!((peer.node, peer.role, peer.store), (5, Role::Store, 12));
        assert!(matches!(Issuer::load(&issuer.chain_pem(), &root.key_pem()), Err(AuthorityError::KeyMismatch)));
    }

    #[test]
    fn an_issuer_names_only_its_own_range_and_no_node_names() {
        let root = TenantRoot::create("Corner Shops", TENANT, NOW).unwrap();
        let issuer = root.issue_intermediate(1, 1..=99, NOW).unwrap();
        let (_, csr) = new_key_and_csr().unwrap();
        assert!(matches!(
            issuer.issue_from_csr(&csr, &names(100), NOW),
            Err(AuthorityError::OutsideRange { node: 100 })
        ));
        for bad in [node_dns_name(TENANT, 2), "*.shop.example".into(), String::new(), "a..b".into(), "käse".into()] {
            let leaf = LeafNames { extra_names: vec![bad], ..names(5) };
            assert!(matches!(issuer.issue_from_csr(&csr, &leaf, NOW), Err(AuthorityError::Name(_))));
        }
        assert!(matches!(issuer.issue_from_csr(&csr[1..], &names(5), NOW), Err(AuthorityError::Request)));
        let mut forged = csr.clone();
        *forged.last_mut().unwrap() ^= 1;
        assert!(matches!(issuer.issue_from_csr(&forged, &names(5), NOW), Err(AuthorityError::Request)));
    }
}
