//! The two listeners: loopback in clear, and the shop's network over TLS with the tenant's certificate.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum_server::accept::{Accept, NoDelayAcceptor};
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use hyper_util::rt::TokioTimer;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use stockroom_transport::pages::own_addresses;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::gate::Door;
use super::limits::{CERTIFICATE_LOOK, CONNECTIONS_MAX, HEAD_TIMEOUT, STOP_TIMEOUT};
use super::{Api, router};
use crate::handle::Handle;
use crate::info::{ApiConfig, NodeInfo};
use crate::lan::LanDoor;

/// Sockets that are bound, so that a taken port is known before the node says that it is up.
#[derive(Debug)]
pub struct Listeners {
    loopback: TcpListener,
    lan: Option<TcpListener>,
}

/// Why the API cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address cannot be bound; another process may have it.
    #[error("the API cannot listen on {0}")]
    Bind(SocketAddr, #[source] io::Error),
    /// The loopback listener must not be reachable from elsewhere, since it asks for no token.
    #[error("the API in clear may listen on a loopback address only, not on {0}")]
    NotLoopback(SocketAddr),
    /// The certificate or key of the LAN listener is not one.
    #[error("the API's certificate cannot be used: {0}")]
    Certificate(String),
    /// A listener failed.
    #[error("the API's listener failed")]
    Listener(#[source] io::Error),
}

impl Listeners {
    /// Binds what the configuration names. Port 0 means any free port.
    pub fn bind(config: &ApiConfig) -> Result<Self, ServeError> {
        if !config.listen.ip().is_loopback() {
            return Err(ServeError::NotLoopback(config.listen));
        }
        let lan = config.lan.as_ref().map(|lan| bind(lan.listen)).transpose()?;
        Ok(Self { loopback: bind(config.listen)?, lan })
    }

    /// Where the API in clear listens.
    pub fn loopback(&self) -> io::Result<SocketAddr> {
        self.loopback.local_addr()
    }

    /// Where the API listens on the shop's network, if it does.
    pub fn lan(&self) -> io::Result<Option<SocketAddr>> {
        self.lan.as_ref().map(TcpListener::local_addr).transpose()
    }
}

/// Serves the API until `stop` comes true: then it takes no new requests, ends its event streams, and waits a moment for
/// the requests that are under way. An error means that the API could not be served at all or that a listener failed.
pub async fn serve(
    handle: Handle,
    info: NodeInfo,
    config: ApiConfig,
    listeners: Listeners,
    mut stop: watch::Receiver<bool>,
) -> Result<(), ServeError> {
    let door = config.lan.as_ref().map(|lan| lan.door.clone());
    let tls = door.as_ref().map(|door| tls_config(door).map(RustlsConfig::from_config)).transpose()?;
    let address = listeners.loopback.local_addr().map_err(ServeError::Listener)?.ip();
    let api = Api::new(handle, info, config, stop.clone());
    let end = axum_server::Handle::new();
    let ending = end.clone();
    let stopped = async move {
        // The sender being gone means that the node is gone.
        let _ = stop.wait_for(|stop| *stop).await;
        ending.graceful_shutdown(Some(STOP_TIMEOUT));
        std::future::pending::<()>().await;
    };
    let loopback = in_clear(listeners.loopback, router(&api, Door::Loopback { address }), end.clone());
    let fresh = keep_fresh(door, tls.clone());
    let lan = async {
        match (listeners.lan, tls) {
            (Some(listener), Some(tls)) => over_tls(listener, router(&api, Door::Lan), tls, end.clone()).await,
            _ => Ok(()),
        }
    };
    let both = async { tokio::try_join!(loopback, lan) };
    tokio::select! {
        () = super::orders::notices::remind(api.clone()) => Ok(()),
        () = fresh => Ok(()),
        () = super::security::keep(api.clone()) => Ok(()),
        served = both => served.map(|_| ()).map_err(ServeError::Listener),
        () = stopped => Ok(()),
    }
}

/// Serves in clear until `end` says so.
pub(super) async fn in_clear(
    listener: TcpListener,
    router: Router,
    end: axum_server::Handle<SocketAddr>,
) -> io::Result<()> {
    let mut server = axum_server::from_tcp(listener)?.acceptor(Limited::new(NoDelayAcceptor::new())).handle(end);
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    server.serve(router.into_make_service()).await
}

/// Serves over TLS until `end` says so.
pub(super) async fn over_tls(
    listener: TcpListener,
    router: Router,
    tls: RustlsConfig,
    end: axum_server::Handle<SocketAddr>,
) -> io::Result<()> {
    let acceptor = RustlsAcceptor::new(tls).acceptor(Limited::new(NoDelayAcceptor::new()));
    let mut server = axum_server::from_tcp(listener)?.acceptor(acceptor).handle(end);
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    server.serve(router.into_make_service()).await
}

/// Renews the certificate while the node runs, and shows the new one to who connects from then on. Never ends.
async fn keep_fresh(door: Option<Arc<LanDoor>>, tls: Option<RustlsConfig>) {
    let (Some(door), Some(tls)) = (door, tls) else { return std::future::pending().await };
    loop {
        tokio::time::sleep(CERTIFICATE_LOOK).await;
        let looking = door.clone();
        let looked = tokio::task::spawn_blocking(move || looking.look(own_addresses())).await;
        match looked {
            Ok(Ok(false)) => {}
            Ok(Ok(true)) => match tls_config(&door) {
                Ok(config) => tls.reload_from_config(config),
                Err(error) => tracing::error!(%error, "the new certificate for the pages is unusable"),
            },
            Ok(Err(error)) => tracing::error!(%error, "no new certificate for the pages"),
            Err(_) => tracing::error!("looking after the certificate for the pages panicked"),
        }
    }
}

/// TLS 1.3 only: every client is a handheld or till of this tenant.
pub(super) fn tls_config(door: &LanDoor) -> Result<Arc<rustls::ServerConfig>, ServeError> {
    let leaf = door.leaf();
    tls_of(&leaf.chain_pem, &leaf.key_pem)
}

/// Likewise, from texts.
pub(super) fn tls_of(chain_pem: &str, key_pem: &str) -> Result<Arc<rustls::ServerConfig>, ServeError> {
    let wrong = |error: &dyn std::fmt::Display| ServeError::Certificate(error.to_string());
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain_pem.as_bytes()).collect();
    let chain = chain.map_err(|error| wrong(&error))?;
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(|error| wrong(&error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| wrong(&error))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| wrong(&error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Binds one address.
pub(super) fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    let bound = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|error| ServeError::Bind(address, error))
}

/// Closes connections above the limit at once, before they cost a TLS handshake.
#[derive(Clone)]
struct Limited<A> {
    inner: A,
    room: Arc<Semaphore>,
}

impl<A> Limited<A> {
    fn new(inner: A) -> Self {
        Self { inner, room: Arc::new(Semaphore::new(CONNECTIONS_MAX)) }
    }
}

impl<A, S> Accept<TcpStream, S> for Limited<A>
where
    A: Accept<TcpStream, S, Stream = TcpStream, Service = S, Future = std::future::Ready<io::Result<(TcpStream, S)>>>,
{
    type Stream = Held;
    type Service = S;
    type Future = std::future::Ready<io::Result<(Held, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let Ok(permit) = self.room.clone().try_acquire_owned() else {
            return std::future::ready(Err(io::Error::other("too many connections")));
        };
        let accepted = self.inner.accept(stream, service).into_inner();
        std::future::ready(accepted.map(|(stream, service)| (Held { stream, _permit: permit }, service)))
    }
}

/// A connection with its place among those that are allowed.
struct Held {
    stream: TcpStream,
    _permit: OwnedSemaphorePermit,
}

impl AsyncRead for Held {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Held {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
