//! Making a store's node: keys are made here and stay here; the hub gives a node id, a certificate and a capability for them.

use std::net::SocketAddr;

use stockroom_core::sealed::public_key;
use stockroom_crdt::capability::{Capability, Role, Signer, verify_chain};
use stockroom_crdt::ids::TenantId;
use stockroom_transport::enrol::{EnrolError, Enrolled, request};
use stockroom_transport::{NodeTls, TlsClock, new_key_and_csr};

use super::{SetupError, random};
use crate::config::{ENROL_PORT, Profile, is_host_port};
use crate::enrol::wire::{EnrolRequest, EnrolResponse};
use crate::enrol::{Carried, Token};
use crate::files::DataDir;
use crate::identity::{Identity, Record, refuse_taken};

/// A node to be made.
#[derive(Clone, Debug)]
pub struct Join {
    /// The token's text.
    pub token: String,
    /// The hub's enrolment port, port 7402 if none is given; needed if the token's text does not have it.
    pub hub: Option<String>,
    /// Where the node's files go.
    pub data: DataDir,
    /// DNS names and addresses under which the shop's devices reach the node.
    pub names: Vec<String>,
    /// What sort of shop it is, if somebody said so.
    pub profile: Option<Profile>,
}

/// What a new box keeps to itself.
struct Keys {
    tls_pem: String,
    log_seed: [u8; 32],
    seal_secret: [u8; 32],
}

/// How far a box is with joining.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The token's text is read.
    Token,
    /// The hub's address is looked up.
    Address,
    /// Keys are made, and the hub is asked.
    Asking,
    /// The answer is checked against the token.
    Checking,
    /// The identity is written.
    Writing,
}

/// Asks the hub and writes the identity that it grants. Gives the node's record.
pub async fn join(order: &Join) -> Result<Record, SetupError> {
    join_telling(order, &|_| ()).await
}

/// The same, and tells each step as it begins.
pub async fn join_telling(order: &Join, tell: &(dyn Fn(Step) + Send + Sync)) -> Result<Record, SetupError> {
    tell(Step::Token);
    let carried = Carried::parse(&order.token)?;
    let token = carried.token;
    let hub = order.hub.clone().or(carried.hub).ok_or(SetupError::NoHub)?;
    order.data.create()?;
    let _lock = order.data.lock()?;
    refuse_taken(&order.data)?;
    tell(Step::Address);
    let address = resolve(&hub).await?;
    tell(Step::Asking);
    let (tls_pem, csr) = new_key_and_csr()?;
    let keys = Keys { tls_pem, log_seed: random()?, seal_secret: random()? };
    let asked = EnrolRequest {
        secret: token.secret,
        log_key: Signer::from_seed(&keys.log_seed).public(),
        seal_key: public_key(&keys.seal_secret),
        csr,
        names: order.names.clone(),
    };
    let answer = request(address, token.root_cert, &TlsClock::wall(), &asked.to_bytes()).await.map_err(failed)?;
    tell(Step::Checking);
    let mut identity = admitted(&token, keys, answer, address).map_err(SetupError::AnswerLost)?;
    identity.record.profile = order.profile;
    tell(Step::Writing);
    identity.save(&order.data).map_err(|error| SetupError::AnswerLost(error.into()))?;
    Ok(identity.record)
}

/// Believes nothing in the answer that the token's root does not vouch for.
fn admitted(
    token: &Token,
    keys: Keys,
    answer: Enrolled,
    address: SocketAddr,
) -> Result<Identity, Box<dyn std::error::Error + Send + Sync>> {
    let response = EnrolResponse::from_bytes(&answer.response)?;
    let certificates = response.certificates.into_iter().map(Into::into).collect();
    let tls = NodeTls::new(certificates, &keys.tls_pem, answer.root)?;
    let tenant = TenantId(tls.tenant().0);
    let me = verify_chain(&token.root_key, tenant, &response.chain)?;
    if me.role != Role::Store || me.store != token.store {
        return Err("the hub admitted this node for something else than the token says".into());
    }
    let mut hubs = response.hubs;
    hubs.push(SocketAddr::new(address.ip(), response.port).to_string());
    let identity = Identity {
        record: record(tenant, &response.tenant_name, token, me, hubs),
        tls,
        log_seed: keys.log_seed,
        seal_secret: keys.seal_secret,
        chain: response.chain,
        issuer: None,
    };
    identity.check()?;
    Ok(identity)
}

fn record(tenant: TenantId, name: &str, token: &Token, me: &Capability, hubs: Vec<String>) -> Record {
    Record::new((tenant, name), &token.root_key, me, hubs)
}

async fn resolve(hub: &str) -> Result<SocketAddr, SetupError> {
    let wrong = || SetupError::Address(hub.into());
    let target = if is_host_port(hub) { hub.to_owned() } else { format!("{hub}:{ENROL_PORT}") };
    tokio::net::lookup_host(target).await.map_err(|_| wrong())?.next().ok_or_else(wrong)
}

fn failed(error: EnrolError) -> SetupError {
    match error {
        EnrolError::Unreachable(_) | EnrolError::Malformed => SetupError::AnswerLost(error.into()),
        EnrolError::Bind { .. }
        | EnrolError::Tls(_)
        | EnrolError::Untrusted
        | EnrolError::TooLong(_)
        | EnrolError::Refused(_) => SetupError::NotAsked(error),
    }
}
