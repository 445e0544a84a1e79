//! A peer made of bare quinn: it can show any certificate and write any byte.

use std::net::SocketAddr;
use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{Connection, ConnectionError, Endpoint};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme};
use stockroom_transport::NodeTls;
use tokio::time::timeout;

use crate::tenant::{BOUND, loopback};

pub type Papers = Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>;

pub fn papers(tls: &NodeTls) -> Papers {
    Some((tls.chain().to_vec(), tls.key().clone_key()))
}

pub fn self_signed() -> Papers {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![String::from("localhost")]).unwrap();
    let uri = format!("stockroom://{}/node/7/store/7", "07".repeat(16));
    params.subject_alt_names.push(rcgen::SanType::URI(uri.try_into().unwrap()));
    let cert = params.self_signed(&key).unwrap();
    Some((vec![cert.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap()))
}

pub struct Stranger {
    pub endpoint: Endpoint,
}

impl Stranger {
    /// Believes everybody, shows these papers, speaks this protocol.
    pub fn new(papers: Papers, alpn: &[u8]) -> Stranger {
        let client = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Gullible));
        let (mut client, server) = match papers {
            None => (client.with_no_client_auth(), None),
            Some((chain, key)) => {
                let server = ServerConfig::builder_with_provider(Arc::new(default_provider()))
                    .with_protocol_versions(&[&rustls::version::TLS13])
                    .unwrap()
                    .with_client_cert_verifier(Arc::new(Gullible))
                    .with_single_cert(chain.clone(), key.clone_key())
                    .unwrap();
                (client.with_client_auth_cert(chain, key).unwrap(), Some(server))
            }
        };
        client.alpn_protocols = vec![alpn.to_vec()];
        let quic = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(client).unwrap()));
        let mut endpoint = match server {
            None => Endpoint::client(loopback()).unwrap(),
            Some(mut server) => {
                server.alpn_protocols = vec![alpn.to_vec()];
                let crypto = Arc::new(QuicServerConfig::try_from(server).unwrap());
                Endpoint::server(quinn::ServerConfig::with_crypto(crypto), loopback()).unwrap()
            }
        };
        endpoint.set_default_client_config(quic);
        Stranger { endpoint }
    }

    pub async fn connect(&self, to: SocketAddr) -> Result<Connection, ConnectionError> {
        timeout(BOUND, self.endpoint.connect(to, "localhost").unwrap()).await.expect("an answer in time")
    }

    /// Connects, claims, and waits for the other end's lane 0: a link, for all the other end knows.
    pub async fn link(&self, to: SocketAddr) -> (Connection, quinn::SendStream) {
        let connection = self.connect(to).await.unwrap();
        let mut lane = connection.open_uni().await.unwrap();
        lane.write_all(&[0]).await.unwrap();
        let mut theirs = timeout(BOUND, connection.accept_uni()).await.expect("an answer in time").unwrap();
        let mut byte = [9];
        theirs.read_exact(&mut byte).await.unwrap();
        assert_eq!(byte, [0]);
        (connection, lane)
    }
}

/// Waits for the end of a connection and says how many streams the other side opened until then.
pub async fn end_of(connection: &Connection) -> (ConnectionError, usize) {
    let mut streams = 0;
    loop {
        match timeout(BOUND, connection.accept_uni()).await.expect("an end in time") {
            Ok(_) => streams += 1,
            Err(error) => return (error, streams),
        }
    }
}

#[derive(Debug)]
struct Gullible;

fn schemes() -> Vec<SignatureScheme> {
    default_provider().signature_verification_algorithms.supported_schemes()
}

impl ServerCertVerifier for Gullible {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        schemes()
    }
}

impl ClientCertVerifier for Gullible {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        schemes()
    }
}
