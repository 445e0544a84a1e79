//! Making a tenant and its first hub, and making a store's node with a token; by hand, or on the page that a box without a node serves.

pub mod first;
pub mod join;
pub mod page;
pub mod photo;
pub mod policy;
pub mod words;

use std::path::{Path, PathBuf};

use stockroom_core::sealed::public_key;
use stockroom_crdt::capability::{Capability, Role, Signer};
use stockroom_crdt::ids::{NodeId, StoreId, TenantId, hex};
use stockroom_transport::{AuthorityError, CredentialError, LeafNames, NodeTls, TenantRoot, TlsClock, new_key_and_csr};

use crate::daemon::clock::wall_ms;
use crate::files::{DataDir, FilesError, io_at, write_whole};
use crate::identity::{Identity, IssuerTexts, Record, refuse_taken};

/// A tenant to be made.
#[derive(Clone, Debug)]
pub struct Init {
    /// Its name, 1 to 40 characters.
    pub tenant: String,
    /// Where the first hub's files go.
    pub data: DataDir,
    /// Where the root's secrets go.
    pub root_key: PathBuf,
    /// DNS names and addresses under which people's devices reach the hub.
    pub names: Vec<String>,
}

/// Why a node was not made. What was written so far does no harm: try again.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A file.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A certificate was not made.
    #[error("no certificate was made")]
    Authority(#[from] AuthorityError),
    /// A certificate does not fit.
    #[error("the certificate cannot be used")]
    Credential(#[from] CredentialError),
    /// The root's file would overwrite another.
    #[error("{} is there already; choose another file with --root-key", .0.display())]
    RootKeyTaken(PathBuf),
    /// The parts of the new identity do not fit together.
    #[error("the new identity is not whole: {0}")]
    Identity(String),
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    Random(#[from] getrandom::Error),
    /// The token is not one.
    #[error(transparent)]
    Token(#[from] crate::enrol::TokenTextError),
    /// Neither the token nor the order says where the hub is.
    #[error("the token does not say where the hub is: give its address")]
    NoHub,
    /// The hub's address cannot be resolved.
    #[error("{0} is not the address of a hub")]
    Address(String),
    /// The hub refused, or is not the one that the token names. A token that was good is good still.
    #[error("the hub did not let this node in")]
    NotAsked(#[source] stockroom_transport::enrol::EnrolError),
    /// The hub did not answer, or its answer did not arrive, or cannot be used.
    #[error(
        "no answer of the hub that can be used; try again, and if the token is refused then, it was used up: ask for a \
         new one at the hub"
    )]
    AnswerLost(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Makes the tenant's root and its first hub. Gives the hub's record.
pub fn init(order: &Init) -> Result<Record, SetupError> {
    let now_unix_s = TlsClock::wall().now_unix_s();
    order.data.create()?;
    let _lock = order.data.lock()?;
    refuse_taken(&order.data)?;
    if order.root_key.exists() {
        return Err(SetupError::RootKeyTaken(order.root_key.clone()));
    }
    let tenant = TenantId(random()?);
    let root = TenantRoot::create(&order.tenant, stockroom_transport::TenantId(tenant.0), now_unix_s)?;
    let root_seed: [u8; 32] = random()?;
    let root_signer = Signer::from_seed(&root_seed);
    let issuer = root.issue_intermediate(FIRST_HUB, NODES_FIRST..=NODES_LAST, now_unix_s)?;
    let (key_pem, csr) = new_key_and_csr()?;
    let names =
        LeafNames { node: FIRST_HUB, role: stockroom_transport::Role::Hub, store: 0, extra_names: order.names.clone() };
    let leaf = issuer.issue_from_csr(&csr, &names, now_unix_s)?;
    let root_cert = stockroom_transport::credential::certificates_from_pem(&root.cert_pem())?.swap_remove(0);
    let (log_seed, seal_secret) = (random()?, random()?);
    let capability = Capability {
        node: NodeId(FIRST_HUB),
        role: Role::Hub,
        store: StoreId(0),
        log_key: Signer::from_seed(&log_seed).public(),
        seal_key: public_key(&seal_secret),
        range_first: NODES_FIRST,
        range_last: NODES_LAST,
        issued_ms: wall_ms(),
        issuer: NodeId(0),
        signature: [0; 64],
    }
    .sign(tenant, &root_signer);
    let identity = Identity {
        record: Record::new((tenant, &order.tenant), &root_signer.public(), &capability, Vec::new()),
        tls: NodeTls::new(leaf, &key_pem, root_cert)?,
        log_seed,
        seal_secret,
        chain: vec![capability],
        issuer: Some(IssuerTexts { chain_pem: issuer.chain_pem(), key_pem: issuer.key_pem() }),
    };
    identity.check().map_err(SetupError::Identity)?;
    write_root(&order.root_key, &root, (tenant, &order.tenant), &root_seed)?;
    identity.save(&order.data)?;
    policy::leave(&order.data)?;
    Ok(identity.record)
}

/// Both secrets of the root in one file, to be taken away: without them no second hub can be made, with them everything can.
fn write_root(
    path: &Path,
    root: &TenantRoot,
    (tenant, name): (TenantId, &str),
    seed: &[u8; 32],
) -> Result<(), FilesError> {
    let text = format!(
        "# Stockroom root keys of tenant {name} ({tenant})\n\
         # Whoever holds this file can admit any node. Keep it away from every running machine.\n\
         log-root-seed: {seed}\n\
         {cert}{key}",
        tenant = hex(&tenant.0),
        seed = hex(seed),
        cert = root.cert_pem(),
        key = root.key_pem(),
    );
    write_whole(path, text.as_bytes()).map_err(io_at("write", path))
}

/// The names under which a machine is reached without being told any.
pub fn own_names(more: &[String]) -> Vec<String> {
    let mut names = vec![String::from("localhost"), String::from("127.0.0.1"), String::from("::1")];
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if is_dns_name(&host) {
        names.push(host);
    }
    names.extend(more.iter().cloned());
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

/// The names as a certificate takes them; a strange host name must not stop an installation.
fn is_dns_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

const FIRST_HUB: u32 = 1;

/// Ids of the nodes that the first hub admits. A tenant with more hubs gives each a range of its own.
const NODES_FIRST: u32 = 1;
const NODES_LAST: u32 = 9_999;
