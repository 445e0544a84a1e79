//! A hub's enrolment port: open only while tokens are out, and the clerk who answers there.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use stockroom_core::input::enrolment::EnrolRequest as CoreRequest;
use stockroom_core::input::{Answer, Command};
use stockroom_crdt::capability::Capability;
use stockroom_transport::enrol::EnrolServer;
use stockroom_transport::limits::ENROL_TIMEOUT;
use stockroom_transport::{Issuer, LeafNames, NodeTls, Role, TlsClock};
use tokio::sync::watch;

use super::wire::{EnrolRequest, EnrolResponse};
use super::{Enrolment, digest_of};
use crate::daemon::clock::wall_ms;
use crate::handle::Handle;

/// What the clerk needs to let somebody in.
pub struct Clerk {
    /// The core decides about tokens and node ids.
    pub handle: Handle,
    /// Issues certificates.
    pub issuer: Issuer,
    /// Tokens that are out.
    pub enrolment: Arc<Enrolment>,
    /// The tenant's name.
    pub tenant_name: String,
    /// Where this hub's links can be reached, if the configuration says.
    pub hubs: Vec<String>,
    /// UDP port of this hub's links.
    pub port: u16,
    /// For certificates.
    pub clock: TlsClock,
}

/// Opens and closes the port as tokens come and go, until told to stop.
pub async fn keep(bind: SocketAddr, tls: NodeTls, clerk: Arc<Clerk>, mut stop: watch::Receiver<bool>) {
    let mut server: Option<EnrolServer> = None;
    loop {
        let now_ms = wall_ms();
        let until_ms = clerk.enrolment.open_until(now_ms);
        match (until_ms, server.take()) {
            (Some(_), Some(open)) => server = Some(open),
            (Some(_), None) => server = open(bind, &tls, &clerk),
            (None, Some(open)) => {
                // The answer to the last token is still on its way.
                let _ = tokio::time::timeout(LINGER, stop.wait_for(|stop| *stop)).await;
                if clerk.enrolment.open_until(wall_ms()).is_none() {
                    open.close().await;
                    tracing::info!("enrolment port closed");
                } else {
                    server = Some(open);
                }
            }
            (None, None) => {}
        }
        let pause_ms = until_ms.map_or(PAUSE_MS_MAX, |until| (until - now_ms).min(PAUSE_MS_MAX));
        tokio::select! {
            () = clerk.enrolment.changed() => {}
            () = tokio::time::sleep(Duration::from_millis(pause_ms)) => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    if let Some(open) = server {
        open.close().await;
    }
}

fn open(bind: SocketAddr, tls: &NodeTls, clerk: &Arc<Clerk>) -> Option<EnrolServer> {
    let answering = clerk.clone();
    let handler = Arc::new(move |request: Vec<u8>, from: SocketAddr| -> stockroom_transport::enrol::Answer {
        Box::pin(answering.clone().answer(request, from))
    });
    match EnrolServer::open(bind, tls, &clerk.clock, handler) {
        Ok(server) => {
            tracing::info!(%bind, "enrolment port open");
            Some(server)
        }
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(%error, cause, "enrolment port stays closed");
            None
        }
    }
}

impl Clerk {
    /// Everything about a request is checked before its token is used up, because that cannot be undone.
    async fn answer(self: Arc<Self>, request: Vec<u8>, from: SocketAddr) -> Result<Vec<u8>, String> {
        let request = EnrolRequest::from_bytes(&request).map_err(|error| format!("unreadable request: {error}"))?;
        let probe = LeafNames {
            node: *self.issuer.nodes().start(),
            role: Role::Store,
            store: 1,
            extra_names: request.names.clone(),
        };
        self.certify(&request, &probe)?;
        let token = digest_of(&request.secret);
        let command = CoreRequest { token, log_key: request.log_key, seal_key: request.seal_key };
        let answer = self.handle.ask(Command::Enrol(command)).await.map_err(|error| error.to_string())?;
        let chain = match answer {
            Ok(Answer::Enrolled { chain, .. }) => chain,
            Ok(_) => return Err("the core answered something else".into()),
            Err(refusal) => {
                tracing::warn!(%from, %refusal, "enrolment refused");
                return Err(refusal.to_string());
            }
        };
        if let Err(error) = self.enrolment.used(token, wall_ms()).await {
            tracing::warn!(%error, "the list of enrolment tokens was not written");
        }
        let me = chain.last().ok_or("the core gave no capability")?;
        tracing::info!(%from, peer = me.node.0, store = me.store.0, "node enrolled");
        let names = LeafNames { node: me.node.0, store: me.store.0, ..probe };
        self.respond(&request, &names, chain.clone())
    }

    fn respond(&self, request: &EnrolRequest, names: &LeafNames, chain: Vec<Capability>) -> Result<Vec<u8>, String> {
        let response = EnrolResponse {
            tenant_name: self.tenant_name.clone(),
            certificates: self.certify(request, names)?,
            chain,
            hubs: self.hubs.clone(),
            port: self.port,
        };
        Ok(response.to_bytes())
    }

    fn certify(&self, request: &EnrolRequest, names: &LeafNames) -> Result<Vec<Vec<u8>>, String> {
        let issued = self.issuer.issue_from_csr(&request.csr, names, self.clock.now_unix_s());
        Ok(issued.map_err(|error| error.to_string())?.iter().map(|certificate| certificate.to_vec()).collect())
    }
}

/// How long the port outlives the last token: one exchange.
const LINGER: Duration = ENROL_TIMEOUT;

/// The list of tokens is looked at again this often, in case the wall clock was set.
const PAUSE_MS_MAX: u64 = 30_000;
