//! The hub's side of enrolment.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use quinn::{Connection, ConnectionError, Endpoint, IdleTimeout, Incoming, ServerConfig, TransportConfig, VarInt};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::credential::NodeTls;
use crate::enrol::{EnrolError, STATUS_OK, STATUS_REFUSED};
use crate::gate::{Entry, Gate, Outcome, Proof};
use crate::limits::{
    ENROL_CONNECTIONS_MAX, ENROL_REQUEST_BYTES_MAX, ENROL_RESPONSE_BYTES_MAX, ENROL_TIMEOUT, HANDSHAKE_TIMEOUT,
    REASON_BYTES_MAX, SHUTDOWN_GRACE,
};
use crate::net::bound_incoming;
use crate::trust::{TlsClock, enrol_server};

/// A handler's answer: the response, or words for the person at the other end.
pub type Answer = Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send>>;

/// Answers one request. The address may be that of a NAT; it is not an identity. The future is dropped after 10 s.
pub type EnrolHandler = Arc<dyn Fn(Vec<u8>, SocketAddr) -> Answer + Send + Sync>;

/// An open enrolment port.
#[derive(Debug)]
pub struct EnrolServer {
    endpoint: Endpoint,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl EnrolServer {
    /// Opens the port. Must be called inside a tokio runtime. Dropping the server closes it too, without waiting.
    pub fn open(
        bind: SocketAddr,
        tls: &NodeTls,
        clock: &TlsClock,
        handler: EnrolHandler,
    ) -> Result<EnrolServer, EnrolError> {
        let mut config = ServerConfig::with_crypto(Arc::new(enrol_server(tls, clock)?));
        config.transport_config(Arc::new(transport())).migration(false);
        bound_incoming(&mut config);
        let endpoint = Endpoint::server(config, bind).map_err(|source| EnrolError::Bind { addr: bind, source })?;
        let (stop, stopped) = watch::channel(false);
        let port = Port { handler, gate: Mutex::default() };
        let task = tokio::spawn(serve(endpoint.clone(), Arc::new(port), stopped));
        Ok(EnrolServer { endpoint, stop, task })
    }

    /// The address that is listened on.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.endpoint.local_addr()
    }

    /// Closes the port and joins its tasks; requests in progress are cut off.
    pub async fn close(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await
            && let Ok(panic) = error.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

struct Port {
    handler: EnrolHandler,
    gate: Mutex<Gate>,
}

impl Port {
    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(endpoint: Endpoint, port: Arc<Port>, mut stop: watch::Receiver<bool>) {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            incoming = endpoint.accept() => match incoming {
                Some(incoming) => enter(&port, incoming, &mut tasks),
                None => break,
            },
            Some(ended) = tasks.join_next() => if let Err(error) = ended {
                tracing::error!(%error, "enrolment task failed");
            },
            _ = stop.changed() => break,
        }
    }
    tasks.shutdown().await;
    endpoint.close(VarInt::from_u32(0), b"closed");
    // Peers that do not hear the farewell time out by themselves.
    let _ = timeout(SHUTDOWN_GRACE, endpoint.wait_idle()).await;
}

fn enter(port: &Arc<Port>, incoming: Incoming, tasks: &mut JoinSet<()>) {
    let from = incoming.remote_address();
    let proof = if incoming.remote_address_validated() { Proof::Validated } else { Proof::Unvalidated };
    if tasks.len() >= ENROL_CONNECTIONS_MAX {
        return incoming.refuse();
    }
    let entry = port.gate().enter(from, proof, Instant::now());
    match entry {
        Entry::Accept => drop(tasks.spawn(handle(
            port.clone(),
            incoming,
            Visit { port: port.clone(), from, proof, outcome: Outcome::Failed },
        ))),
        Entry::Retry if incoming.may_retry() => drop(incoming.retry()),
        Entry::Retry | Entry::Ignore => incoming.ignore(),
    }
}

/// A visitor has no certificate; a request that the handler granted is what counts as a success.
async fn handle(port: Arc<Port>, incoming: Incoming, mut visit: Visit) {
    let from = visit.from;
    match timeout(HANDSHAKE_TIMEOUT + ENROL_TIMEOUT, answer(&port, incoming)).await {
        Ok(Ok(outcome)) => visit.outcome = outcome,
        Ok(Err(error)) => tracing::debug!(%from, error = &error as &dyn std::error::Error, "enrolment broke off"),
        Err(_) => tracing::debug!(%from, "enrolment took too long"),
    }
}

async fn answer(port: &Port, incoming: Incoming) -> Result<Outcome, VisitError> {
    let connection = timeout(HANDSHAKE_TIMEOUT, incoming.accept()?).await.map_err(|_| VisitError::Timeout)??;
    let (mut send, mut receive) = connection.accept_bi().await?;
    let request = receive.read_to_end(ENROL_REQUEST_BYTES_MAX).await.map_err(|_| VisitError::Request)?;
    let asked = timeout(ENROL_TIMEOUT, (port.handler)(request, connection.remote_address())).await;
    let (outcome, response) = encode(asked.unwrap_or_else(|_| Err(String::from("the hub took too long"))));
    send.write_all(&response).await.map_err(|_| VisitError::Response)?;
    send.finish().map_err(|_| VisitError::Response)?;
    // The peer closes when it has read everything; closing first could cut the answer short.
    drop(close_of(&connection).await);
    Ok(outcome)
}

async fn close_of(connection: &Connection) -> Option<ConnectionError> {
    timeout(ENROL_TIMEOUT, connection.closed()).await.ok()
}

fn encode(answer: Result<Vec<u8>, String>) -> (Outcome, Vec<u8>) {
    match answer {
        Ok(body) if body.len() <= ENROL_RESPONSE_BYTES_MAX => (Outcome::Proved, [&[STATUS_OK], &body[..]].concat()),
        Ok(_) => (Outcome::Proved, [&[STATUS_REFUSED], &b"the answer is too long"[..]].concat()),
        Err(words) => {
            let words: String = words.chars().take(REASON_BYTES_MAX).collect();
            (Outcome::Failed, [&[STATUS_REFUSED], words.as_bytes()].concat())
        }
    }
}

/// Why a visit brought nothing.
#[derive(Debug, thiserror::Error)]
enum VisitError {
    #[error("connection failed")]
    Connection(#[from] ConnectionError),
    #[error("no handshake in time")]
    Timeout,
    #[error("request unreadable or too long")]
    Request,
    #[error("answer not taken")]
    Response,
}

/// Counted at the gate until dropped.
struct Visit {
    port: Arc<Port>,
    from: SocketAddr,
    proof: Proof,
    outcome: Outcome,
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.port.gate().ended(self.from, self.proof, self.outcome, Instant::now());
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Port")
    }
}

/// One bidirectional stream, nothing else, and windows that fit one request.
pub(super) fn transport() -> TransportConfig {
    let window = VarInt::from_u32(2 * ENROL_RESPONSE_BYTES_MAX as u32);
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .datagram_receive_buffer_size(None)
        .receive_window(window)
        .stream_receive_window(window)
        .send_window(2 * ENROL_RESPONSE_BYTES_MAX as u64)
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(IDLE.as_millis() as u32))));
    transport
}

const IDLE: Duration = ENROL_TIMEOUT;
