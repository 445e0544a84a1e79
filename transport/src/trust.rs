//! Which certificate chains are believed, and at which time: the rustls and QUIC configurations of this crate.
//!
//! TLS 1.3 with ring only. A chain is leaf, at most one issuer, root: the issuer that signed is the one whose node range is checked.
//! Sessions are never resumed, so every connection verifies the whole chain again, and there is no 0-RTT to replay. There are no
//! revocation lists: fences act through the caller's admission predicate, which decides with every new connection.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, RootCertStore,
    ServerConfig, SignatureScheme,
};

use crate::credential::NodeTls;
use crate::identity::{Named, PeerIdentity, Role, TenantId, any_dns_name, named, peer_identity, sha256};
use crate::limits::{BUILD_FLOOR_UNIX_S, CHAIN_MAX};

/// Protocol name of node links.
pub(crate) const ALPN_LINK: &[u8] = b"stockroom/1";

/// Protocol name of the enrolment port.
pub(crate) const ALPN_ENROL: &[u8] = b"stockroom-enrol/1";

/// The time at which certificates are checked: never before this code was written, else what the caller says (S9).
#[derive(Clone)]
pub struct TlsClock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl TlsClock {
    /// `now_unix_s` is the caller's best knowledge of the time, in seconds since 1970; only the build floor is put under it.
    pub fn new(now_unix_s: impl Fn() -> u64 + Send + Sync + 'static) -> TlsClock {
        TlsClock(Arc::new(now_unix_s))
    }

    /// The machine's wall clock, but never before `floor_unix_s()`: the latest time that the caller has stored or seen signed.
    pub fn wall_above(floor_unix_s: impl Fn() -> u64 + Send + Sync + 'static) -> TlsClock {
        TlsClock::new(move || wall_unix_s().max(floor_unix_s()))
    }

    /// The machine's wall clock.
    pub fn wall() -> TlsClock {
        TlsClock::new(wall_unix_s)
    }

    /// Seconds since 1970.
    pub fn now_unix_s(&self) -> u64 {
        (self.0)().max(BUILD_FLOOR_UNIX_S)
    }
}

impl fmt::Debug for TlsClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsClock")
    }
}

impl TimeProvider for TlsClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.now_unix_s())))
    }
}

/// Server side of node links: a client certificate of the tenant is mandatory.
pub(crate) fn link_server(tls: &NodeTls, clock: &TlsClock) -> Result<QuicServerConfig, Error> {
    let roots = Arc::new(roots(tls.root())?);
    let provider = Arc::new(ring::default_provider());
    let webpki = WebPkiClientVerifier::builder_with_provider(roots, provider.clone())
        .build()
        .map_err(|error| Error::General(error.to_string()))?;
    let verifier = Arc::new(TenantClients { webpki, tenant: tls.tenant() });
    let config = ServerConfig::builder_with_details(provider, Arc::new(clock.clone()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(tls.chain().to_vec(), tls.key().clone_key())?;
    quic_server(config, ALPN_LINK)
}

/// Client side of node links.
pub(crate) fn link_client(tls: &NodeTls, clock: &TlsClock) -> Result<QuicClientConfig, Error> {
    let verifier =
        TenantServers { roots: roots(tls.root())?, tenant: tls.tenant(), provider: Arc::new(ring::default_provider()) };
    let config = client_builder(clock, Arc::new(verifier))?
        .with_client_auth_cert(tls.chain().to_vec(), tls.key().clone_key())?;
    quic_client(config, ALPN_LINK)
}

/// Server side of enrolment: shows its whole chain with the root, and asks for no certificate.
pub(crate) fn enrol_server(tls: &NodeTls, clock: &TlsClock) -> Result<QuicServerConfig, Error> {
    let mut chain = tls.chain().to_vec();
    if !chain.contains(tls.root()) {
        chain.push(tls.root().clone());
    }
    let config = ServerConfig::builder_with_details(Arc::new(ring::default_provider()), Arc::new(clock.clone()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, tls.key().clone_key())?;
    quic_server(config, ALPN_ENROL)
}

/// Client side of enrolment: believes the hub whose chain ends at the root with this fingerprint.
pub(crate) fn enrol_client(root_fingerprint: [u8; 32], clock: &TlsClock) -> Result<QuicClientConfig, Error> {
    let verifier = FingerprintedHub { root_fingerprint, provider: Arc::new(ring::default_provider()) };
    quic_client(client_builder(clock, Arc::new(verifier))?.with_no_client_auth(), ALPN_ENROL)
}

/// Reads who the peer of an established connection is. The chain was verified by this module during the handshake.
pub(crate) fn connected_peer(
    connection: &quinn::Connection,
    tenant: TenantId,
) -> Option<(PeerIdentity, CertificateDer<'static>)> {
    let chain = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    let peer = peer_identity(&chain, tenant).ok()?;
    Some((peer, chain.first()?.clone()))
}

fn client_builder(
    clock: &TlsClock,
    verifier: Arc<dyn ServerCertVerifier>,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>, Error> {
    Ok(ClientConfig::builder_with_details(Arc::new(ring::default_provider()), Arc::new(clock.clone()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier))
}

fn quic_server(mut config: ServerConfig, alpn: &[u8]) -> Result<QuicServerConfig, Error> {
    config.alpn_protocols = vec![alpn.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    QuicServerConfig::try_from(config).map_err(|error| Error::General(error.to_string()))
}

fn quic_client(mut config: ClientConfig, alpn: &[u8]) -> Result<QuicClientConfig, Error> {
    config.alpn_protocols = vec![alpn.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    QuicClientConfig::try_from(config).map_err(|error| Error::General(error.to_string()))
}

/// Verifies dialers: webpki's rules for clients, then the names.
#[derive(Debug)]
struct TenantClients {
    webpki: Arc<dyn ClientCertVerifier>,
    tenant: TenantId,
}

impl ClientCertVerifier for TenantClients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.webpki.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.webpki.verify_client_cert(leaf, issuer_of(rest)?, now)?;
        check_names(leaf, rest, self.tenant)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

/// Verifies listeners: the chain, the node's name unless any node will do, then the tenant's names.
#[derive(Debug)]
struct TenantServers {
    roots: RootCertStore,
    tenant: TenantId,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for TenantServers {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        verify_server_chain(leaf, rest, &self.roots, now, &self.provider)?;
        if name.to_str() != any_dns_name(self.tenant) {
            verify_server_name(&ParsedCertificate::try_from(leaf)?, name)?;
        }
        check_names(leaf, rest, self.tenant)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Verifies the hub at enrolment, when only the root's fingerprint is known.
#[derive(Debug)]
struct FingerprintedHub {
    root_fingerprint: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for FingerprintedHub {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let root = fingerprinted(rest, self.root_fingerprint)
            .ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        verify_server_chain(leaf, rest, &roots(root)?, now, &self.provider)?;
        let Ok(Named::Root(tenant)) = named(root) else { return Err(names_refused()) };
        let peer = check_names(leaf, rest, tenant)?;
        if peer.role != Role::Hub {
            return Err(names_refused());
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The root with this fingerprint, if the chain shows it.
pub(crate) fn fingerprinted<'a, 'b>(
    chain: &'a [CertificateDer<'b>],
    root_fingerprint: [u8; 32],
) -> Option<&'a CertificateDer<'b>> {
    chain.iter().take(CHAIN_MAX).find(|cert| sha256(cert) == root_fingerprint)
}

fn verify_server_chain(
    leaf: &CertificateDer<'_>,
    rest: &[CertificateDer<'_>],
    roots: &RootCertStore,
    now: UnixTime,
    provider: &CryptoProvider,
) -> Result<(), Error> {
    let parsed = ParsedCertificate::try_from(leaf)?;
    verify_server_cert_signed_by_trust_anchor(
        &parsed,
        roots,
        issuer_of(rest)?,
        now,
        provider.signature_verification_algorithms.all,
    )
}

/// The only certificate that path building may use: the second of the chain. So the issuer whose range is checked is the one that
/// signed, and path building is bounded (RUSTSEC-2023-0053).
fn issuer_of<'a, 'b>(rest: &'a [CertificateDer<'b>]) -> Result<&'a [CertificateDer<'b>], Error> {
    if rest.len() >= CHAIN_MAX {
        return Err(Error::InvalidCertificate(CertificateError::BadEncoding));
    }
    Ok(&rest[..rest.len().min(1)])
}

fn check_names(
    leaf: &CertificateDer<'_>,
    rest: &[CertificateDer<'_>],
    tenant: TenantId,
) -> Result<PeerIdentity, Error> {
    let mut chain = vec![leaf.clone()];
    chain.extend_from_slice(rest);
    peer_identity(&chain, tenant).map_err(|_| names_refused())
}

fn names_refused() -> Error {
    Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
}

fn roots(root: &CertificateDer<'_>) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    store.add(root.clone().into_owned())?;
    Ok(store)
}

fn wall_unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_before_this_code_is_not_believed() {
        assert_eq!(TlsClock::new(|| 0).now_unix_s(), BUILD_FLOOR_UNIX_S);
        let later = BUILD_FLOOR_UNIX_S + 5;
        assert_eq!(TlsClock::new(move || later).now_unix_s(), later);
        assert!(TlsClock::wall_above(|| u64::from(u32::MAX)).now_unix_s() >= u64::from(u32::MAX));
    }
}
