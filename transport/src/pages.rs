//! The name of a node's own pages on the shop's network, and the certificates under which they are served.
//!
//! Pages must work when nobody else can be reached for years. So their certificates do not come from the hub: each node has a small
//! authority of its own, made at its first start, that devices of the shop trust once. Its name constraints hold it to the names of
//! this node and to private addresses: whoever steals it can pretend to be this node's pages and nothing else. The node renews the
//! leaf by itself. Nothing here is ever believed on a link: no certificate of this module carries a `stockroom://` name.

use std::collections::BTreeSet;
use std::net::IpAddr;

use rcgen::{
    BasicConstraints, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyPair, KeyUsagePurpose,
    NameConstraints, SanType,
};
use rustls::pki_types::CertificateDer;

use crate::authority::{
    AuthorityError, authority_params, begin_at, dated_params, ia5, new_key, only_certificate, signer,
};
use crate::credential::pem_of;
use crate::discovery::tag;
use crate::identity::{Named, Role, TenantId, extra_names, named, sha256, validity_unix_s};
use crate::limits::{BUILD_FLOOR_UNIX_S, PAGE_LEAF_DAYS, PAGE_NAMES_MAX, ROOT_DAYS};

/// The names that lead to a node's pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageNames {
    /// DNS names; the first is the one that people are told.
    pub hosts: Vec<String>,
    /// Addresses that do not change; those of the interfaces are added with each leaf.
    pub addresses: Vec<IpAddr>,
}

impl PageNames {
    /// `stockroom-12.local` and `stockroom-<node>-<tag>.local`, then what else the node's certificate names. The second exists in case
    /// that somebody else in the network has the first. One label below `.local` is what phones resolve.
    pub fn of(tenant: TenantId, node: u32, role: Role, store: u32, more: &[String]) -> PageNames {
        let short = match role {
            Role::Hub => "stockroom-hub.local".to_owned(),
            Role::Store => format!("stockroom-{store}.local"),
        };
        let mut names = PageNames { hosts: vec![short, unique_host(tenant, node)], addresses: Vec::new() };
        for name in more {
            match name.parse() {
                Ok(address) => names.addresses.push(address),
                Err(_) => names.hosts.push(name.to_ascii_lowercase()),
            }
        }
        let mut seen = BTreeSet::new();
        names.hosts.retain(|host| seen.insert(host.clone()));
        names.hosts.truncate(PAGE_NAMES_MAX);
        names.addresses.truncate(PAGE_NAMES_MAX);
        names
    }

    /// The hosts and addresses of a leaf that is made while the machine has these interfaces.
    pub fn with(&self, interfaces: &[IpAddr]) -> Vec<String> {
        let hosts = self.hosts.iter().cloned();
        hosts.chain(self.addresses_with(interfaces).iter().map(ToString::to_string)).collect()
    }

    fn addresses_with(&self, interfaces: &[IpAddr]) -> BTreeSet<IpAddr> {
        let interfaces = interfaces.iter().filter(|address| is_private(address)).take(PAGE_NAMES_MAX);
        self.addresses.iter().chain(interfaces).copied().collect()
    }
}

/// A name under `.local` that no other node of any tenant has.
pub fn unique_host(tenant: TenantId, node: u32) -> String {
    format!("stockroom-{node}-{}.local", tag(tenant))
}

/// The authority of one node's pages. It lives as long as the node's hardware, and devices trust it once.
pub struct PageAuthority {
    cert: CertificateDer<'static>,
    signer: rcgen::Issuer<'static, KeyPair>,
}

/// A certificate for pages, with its key.
#[derive(Clone)]
pub struct PageLeaf {
    /// Leaf and authority, PEM.
    pub chain_pem: String,
    /// PKCS #8 PEM.
    pub key_pem: String,
    /// From when it is good, seconds since 1970.
    pub not_before_unix_s: u64,
    /// Until when.
    pub not_after_unix_s: u64,
    /// What it vouches for, in the order of [`PageNames::with`].
    pub names: Vec<String>,
}

impl PageAuthority {
    /// Makes an authority that can vouch for `names` and for addresses of private networks.
    pub fn create(names: &PageNames, now_unix_s: u64) -> Result<PageAuthority, AuthorityError> {
        let host = names.hosts.first().ok_or_else(|| AuthorityError::Name(String::new()))?;
        let key = new_key()?;
        let mut params = authority_params(now_unix_s, ROOT_DAYS, BasicConstraints::Constrained(0))?;
        // A box whose clock ran ahead on its first day must not have an authority that begins in the future.
        begin_at(&mut params, BUILD_FLOOR_UNIX_S);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.distinguished_name.push(DnType::CommonName, format!("Stockroom pages {}", &host[..host.len().min(40)]));
        let hosts = names.hosts.iter().cloned().map(GeneralSubtree::DnsName);
        let own = names.addresses.iter().map(|&address| GeneralSubtree::IpAddress(single(address)));
        let private = PRIVATE.iter().filter_map(|(network, prefix)| {
            let network: IpAddr = network.parse().ok()?;
            Some(GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(network, *prefix)))
        });
        let permitted_subtrees = hosts.chain(own).chain(private).collect();
        params.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
        let cert = params.self_signed(&key)?.der().clone();
        Ok(PageAuthority { cert, signer: rcgen::Issuer::new(params, key) })
    }

    /// Reads an authority back from its two texts. A tenant's root or issuer is refused.
    pub fn load(cert_pem: &str, key_pem: &str) -> Result<PageAuthority, AuthorityError> {
        let cert = only_certificate(cert_pem, "pages")?;
        match named(&cert) {
            Ok(Named::Root(_) | Named::Issuer { .. } | Named::Node(_)) => Err(AuthorityError::Kind("pages")),
            Err(_) => Ok(PageAuthority { signer: signer(&cert, key_pem)?, cert }),
        }
    }

    /// A new key with a certificate for these names and addresses. Addresses that are not private and not in `names` are left out.
    pub fn issue(&self, names: &PageNames, interfaces: &[IpAddr], now_unix_s: u64) -> Result<PageLeaf, AuthorityError> {
        let key = new_key()?;
        let mut params = dated_params(now_unix_s, PAGE_LEAF_DAYS)?;
        params.distinguished_name.push(DnType::CommonName, "Stockroom pages");
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        for host in &names.hosts {
            params.subject_alt_names.push(SanType::DnsName(ia5(host.clone())?));
        }
        params.subject_alt_names.extend(names.addresses_with(interfaces).into_iter().map(SanType::IpAddress));
        let leaf = params.signed_by(&key, &self.signer)?.der().clone();
        let chain_pem = pem_of(&[leaf, self.cert.clone()]);
        PageLeaf::load(&chain_pem, &key.serialize_pem())
    }

    /// The certificate that devices trust.
    pub fn cert_pem(&self) -> String {
        pem_of(std::slice::from_ref(&self.cert))
    }

    /// Its private key (PKCS #8), mode 0600.
    pub fn key_pem(&self) -> String {
        self.signer.key().serialize_pem()
    }

    /// SHA-256 of the certificate's DER: what a person compares before a device trusts it.
    pub fn fingerprint(&self) -> [u8; 32] {
        sha256(&self.cert)
    }

    /// True for what this authority issued.
    pub fn issued(&self, leaf: &PageLeaf) -> bool {
        let chain = crate::credential::certificates_from_pem(&leaf.chain_pem);
        chain.is_ok_and(|chain| chain.get(1) == Some(&self.cert))
    }
}

impl PageLeaf {
    /// Reads a leaf back from its two texts.
    pub fn load(chain_pem: &str, key_pem: &str) -> Result<PageLeaf, AuthorityError> {
        let wrong = |_| AuthorityError::Kind("pages");
        let chain = crate::credential::certificates_from_pem(chain_pem).map_err(wrong)?;
        let leaf = chain.first().ok_or(AuthorityError::Kind("pages"))?;
        let (not_before_unix_s, not_after_unix_s) = validity_unix_s(leaf).map_err(|_| AuthorityError::Kind("pages"))?;
        KeyPair::from_pem(key_pem)?;
        let names = extra_names(leaf).map_err(|_| AuthorityError::Kind("pages"))?;
        let (chain_pem, key_pem) = (chain_pem.to_owned(), key_pem.to_owned());
        Ok(PageLeaf { chain_pem, key_pem, not_before_unix_s, not_after_unix_s, names })
    }

    /// SHA-256 of the leaf's DER.
    pub fn fingerprint(&self) -> Result<[u8; 32], AuthorityError> {
        let chain = crate::credential::certificates_from_pem(&self.chain_pem);
        let leaf = chain.map_err(|_| AuthorityError::Kind("pages"))?;
        leaf.first().map(|leaf| sha256(leaf)).ok_or(AuthorityError::Kind("pages"))
    }

    /// True when a new one should be made: a third of its life or less is left, or it was made when the clock ran ahead.
    pub fn is_due(&self, now_unix_s: u64) -> bool {
        let third = self.not_after_unix_s.saturating_sub(self.not_before_unix_s) / 3;
        now_unix_s < self.not_before_unix_s || now_unix_s + third >= self.not_after_unix_s
    }
}

impl std::fmt::Debug for PageAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PageAuthority")
    }
}

impl std::fmt::Debug for PageLeaf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PageLeaf").field("not_after_unix_s", &self.not_after_unix_s).finish_non_exhaustive()
    }
}

/// Addresses of this machine's interfaces, without those of links that a name cannot carry (IPv6 link-local).
pub fn own_addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let mut addresses: Vec<IpAddr> = interfaces.iter().map(|interface| interface.ip()).collect();
    addresses.retain(|address| !matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local()));
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// An address that only a network of one's own has.
fn is_private(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local() || v4.is_loopback(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_loopback(),
    }
}

fn single(address: IpAddr) -> CidrSubnet {
    CidrSubnet::from_addr_prefix(address, if address.is_ipv4() { 32 } else { 128 })
}

/// What [`is_private`] takes.
const PRIVATE: &[(&str, u8)] = &[
    ("127.0.0.0", 8),
    ("10.0.0.0", 8),
    ("172.16.0.0", 12),
    ("192.168.0.0", 16),
    ("169.254.0.0", 16),
    ("::1", 128),
    ("fc00::", 7),
];

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier;
    use rustls::pki_types::{ServerName, UnixTime};

    use super::*;
    use crate::credential::certificates_from_pem;

    const NOW: u64 = 1_795_000_000;
    const DAY: u64 = 86_400;
    const TENANT: TenantId = TenantId([7; 16]);

    fn names() -> PageNames {
        PageNames::of(TENANT, 5, Role::Store, 12, &["till.shop.example".into(), "127.0.0.1".into()])
    }

    /// What a phone does that trusts `authority`.
    fn believes(authority: &PageAuthority, leaf: &PageLeaf, name: &str, now: u64) -> Result<(), rustls::Error> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(authority.cert.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let chain = certificates_from_pem(&leaf.chain_pem).unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now));
        verifier.verify_server_cert(&chain[0], &chain[1..], &name, &[], now).map(|_| ())
    }

    #[test]
    fn a_device_believes_the_pages_under_every_name_and_address_of_the_node() {
        let authority = PageAuthority::create(&names(), NOW).unwrap();
        let authority = PageAuthority::load(&authority.cert_pem(), &authority.key_pem()).unwrap();
        let interfaces = ["192.168.7.2", "fd00::2", "9.9.9.9"].map(|ip| ip.parse().unwrap());
        let leaf = authority.issue(&names(), &interfaces, NOW).unwrap();
        let unique = unique_host(TENANT, 5);
        for name in ["stockroom-12.local", unique.as_str(), "till.shop.example", "127.0.0.1", "192.168.7.2", "fd00::2"]
        {
            assert_eq!(believes(&authority, &leaf, name, NOW), Ok(()), "{name}");
        }
        for name in ["stockroom-13.local", "9.9.9.9", "192.168.7.3", "localhost"] {
            assert!(believes(&authority, &leaf, name, NOW).is_err(), "{name}");
        }
        assert!(authority.issued(&leaf));
        assert!(!PageAuthority::create(&names(), NOW).unwrap().issued(&leaf));
    }

    #[test]
    fn a_stolen_authority_can_pretend_to_be_nobody_else() {
        let authority = PageAuthority::create(&names(), NOW).unwrap();
        let other = PageNames { hosts: vec!["bank.example".into()], addresses: vec!["9.9.9.9".parse().unwrap()] };
        let leaf = authority.issue(&other, &[], NOW).unwrap();
        assert!(believes(&authority, &leaf, "bank.example", NOW).is_err());
        assert!(believes(&authority, &leaf, "9.9.9.9", NOW).is_err());
        let other = PageNames { hosts: vec!["stockroom-13.local".into()], addresses: Vec::new() };
        let leaf = authority.issue(&other, &[], NOW).unwrap();
        assert!(believes(&authority, &leaf, "stockroom-13.local", NOW).is_err());
        let chain = certificates_from_pem(&leaf.chain_pem).unwrap();
        assert!(crate::identity::peer_identity(&chain, TENANT).is_err(), "and it is no node");
    }

    #[test]
    fn a_leaf_is_due_with_a_third_of_its_life_left_and_when_the_clock_was_set_back() {
        let authority = PageAuthority::create(&names(), NOW).unwrap();
        let leaf = authority.issue(&names(), &[], NOW).unwrap();
        assert!(!leaf.is_due(NOW) && !leaf.is_due(NOW + 200 * DAY));
        assert!(leaf.is_due(NOW + 270 * DAY) && leaf.is_due(NOW + 4_000 * DAY));
        assert!(leaf.is_due(NOW - 3 * DAY));
        let late = NOW + 500 * DAY;
        assert!(believes(&authority, &leaf, "stockroom-12.local", late).is_err(), "expired during an outage");
        let renewed = authority.issue(&names(), &[], late).unwrap();
        assert_eq!(believes(&authority, &renewed, "stockroom-12.local", late), Ok(()));
        let ahead = PageAuthority::create(&names(), NOW + 9_000 * DAY).unwrap();
        let leaf = ahead.issue(&names(), &[], NOW).unwrap();
        assert_eq!(believes(&ahead, &leaf, "stockroom-12.local", NOW), Ok(()), "its first clock ran ahead");
    }

    #[test]
    fn a_tenants_root_is_no_authority_for_pages() {
        let root = crate::authority::TenantRoot::create("Corner Shops", TENANT, NOW).unwrap();
        assert!(PageAuthority::load(&root.cert_pem(), &root.key_pem()).is_err());
    }
}
