//! What a phone does in a shop: asks by multicast for a name, checks a certificate, sends a request. Each is done on sockets of the
//! thread that calls it, so that it happens in the network where that thread stands.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme, StreamOwned};
use serde_json::Value;
use stockroom_crdt::ids::Digest;

/// Whom a phone believes.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Nobody: in clear, on the machine itself.
    Clear,
    /// The one certificate with this SHA-256, as a person compared it.
    Fingerprint(String),
    /// Everything under this authority, PEM.
    Authority(String),
}

/// What was answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub text: String,
}

impl Reply {
    /// The body of a 2xx as JSON.
    pub fn good(&self) -> Result<Value, String> {
        match self.status {
            200..300 => serde_json::from_str(&self.text).map_err(|error| format!("{error}: {}", self.text)),
            status => Err(format!("{status}: {}", self.text)),
        }
    }
}

/// One request on a connection of its own.
pub struct Ask<'a> {
    /// Where.
    pub to: SocketAddr,
    /// The name in the certificate and in `Host`.
    pub host: &'a str,
    /// Whom to believe.
    pub trust: &'a Trust,
    /// Headers, one a line, each with its end.
    pub headers: &'a str,
}

impl Ask<'_> {
    /// Sends it.
    pub fn send(&self, method: &str, path: &str, body: &str) -> Result<Reply, String> {
        let failed = |error: std::io::Error| error.to_string();
        let socket = TcpStream::connect_timeout(&self.to, PATIENCE).map_err(failed)?;
        socket.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        let (host, port, headers, length) = (self.host, self.to.port(), self.headers, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}:{port}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
        );
        let config = match self.trust {
            Trust::Clear => return exchange(socket, &request),
            Trust::Fingerprint(wanted) => pinned(wanted.clone()),
            Trust::Authority(pem) => under(pem)?,
        };
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        let tls = ClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())?;
        exchange(StreamOwned::new(tls, socket), &request)
    }
}

fn exchange(mut stream: impl Read + Write, request: &str) -> Result<Reply, String> {
    stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    // A server that closes without TLS's goodbye has said what it had to say if the answer is whole.
    let ended = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| format!("no answer: {ended:?}"))?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or("no status")?;
    Ok(Reply { status, text: body.to_owned() })
}

/// The address that answers to a name under `.local`, asked as a phone's resolver asks: one question from a port of its own.
pub fn resolve(name: &str) -> Result<IpAddr, String> {
    let failed = |error: std::io::Error| error.to_string();
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).map_err(failed)?;
    socket.set_read_timeout(Some(Duration::from_millis(500))).map_err(failed)?;
    let mut question = vec![0, 77, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        question.push(label.len() as u8);
        question.extend(label.as_bytes());
    }
    question.extend([0, 0, 1, 0, 1]);
    socket.send_to(&question, (Ipv4Addr::new(224, 0, 0, 251), 5353)).map_err(failed)?;
    let mut answer = [0; 1500];
    let (length, _) = socket.recv_from(&mut answer).map_err(failed)?;
    address_in(&answer[..length]).ok_or_else(|| "an answer without an address".into())
}

/// The first A record of a DNS answer.
fn address_in(message: &[u8]) -> Option<IpAddr> {
    let count = |at: usize| Some(u16::from_be_bytes([*message.get(at)?, *message.get(at + 1)?]));
    let (questions, answers) = (count(4)?, count(6)?);
    let mut at = 12;
    for _ in 0..questions {
        at = after_name(message, at)? + 4;
    }
    for _ in 0..answers {
        at = after_name(message, at)?;
        let (kind, length) = (count(at)?, count(at + 8)? as usize);
        let data = message.get(at + 10..at + 10 + length)?;
        if kind == 1 {
            return Some(<[u8; 4]>::try_from(data).ok()?.into());
        }
        at += 10 + length;
    }
    None
}

fn after_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            length if length >= 0xc0 => return Some(at + 2),
            length => at += 1 + length as usize,
        }
    }
}

fn under(pem: &str) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| error.to_string())?;
    roots.add(authority).map_err(|error| error.to_string())?;
    Ok(builder().with_root_certificates(roots).with_no_client_auth())
}

fn pinned(fingerprint: String) -> ClientConfig {
    let verifier = Pinned { fingerprint, provider: rustls::crypto::ring::default_provider() };
    builder().dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()
}

fn builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring knows TLS 1.3")
}

/// SHA-256 as people compare it.
pub fn fingerprint(certificate: &[u8]) -> String {
    let pairs: Vec<_> = Digest::of(&[certificate]).0.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

/// The fingerprint of a PEM text.
pub fn fingerprint_of_pem(pem: &str) -> String {
    fingerprint(&CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate"))
}

/// A person who compared the fingerprint on the phone with that on the box, and pressed "go on".
#[derive(Debug)]
struct Pinned {
    fingerprint: String,
    provider: CryptoProvider,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match fingerprint(leaf) == self.fingerprint {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(rustls::Error::General("another certificate than the box shows on its console".into())),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
