//! Who this node is: its certificates, its two secret keys, the chain of capabilities from the tenant's root, and its record.
//!
//! `identity.json` is written last. A directory without it holds no node, whatever else a crash left in it.

use std::path::Path;

use serde::{Deserialize, Serialize};
use stockroom_core::sealed::public_key;
use stockroom_crdt::capability::{Capability, Role, Signer, decode_chain, encode_chain, verify_chain};
use stockroom_crdt::codec::{RowReader, Rows};
use stockroom_crdt::ids::{TenantId, hex};
use stockroom_transport::{Issuer, NodeTls};

use crate::config::Profile;
use crate::enrol::unhex;
use crate::files::{DataDir, FilesError, io_at, read_if_there, write_whole};

/// Everything that makes a node itself, except its database.
pub struct Identity {
    /// What people may know.
    pub record: Record,
    /// Its certificate, key and root.
    pub tls: NodeTls,
    /// Its Ed25519 log key's seed.
    pub log_seed: [u8; 32],
    /// Its X25519 secret for parcels.
    pub seal_secret: [u8; 32],
    /// From the root to this node.
    pub chain: Vec<Capability>,
    /// At a hub: what issues certificates to stores.
    pub issuer: Option<IssuerTexts>,
}

/// An issuer as text to keep.
pub struct IssuerTexts {
    /// Issuer and root certificate, PEM.
    pub chain_pem: String,
    /// Its private key, PEM.
    pub key_pem: String,
}

/// The public part of an identity, as it stands in `identity.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Of this file; 1.
    pub format: u32,
    /// Tenant id, hex.
    pub tenant: String,
    /// The tenant's name, for people.
    pub tenant_name: String,
    /// The tenant root's Ed25519 key, hex.
    pub root_key: String,
    /// Node id.
    pub node: u32,
    /// `hub` or `store`.
    pub role: String,
    /// Store number, 0 for a hub.
    pub store: u32,
    /// QUIC addresses of the hub, as learned when this node joined.
    pub hubs: Vec<String>,
    /// What sort of shop it was said to be when it joined; the configuration may say otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
}

impl Identity {
    /// Reads and checks an identity: every part must speak of the same node.
    pub fn load(dir: &DataDir) -> Result<Self, FilesError> {
        let path = dir.file(RECORD);
        let Some(bytes) = read_if_there(&path)? else { return Err(FilesError::Absent(dir.root().into())) };
        let record: Record = serde_json::from_slice(&bytes).map_err(|error| damaged(&path, error))?;
        if record.format != FORMAT {
            return Err(damaged(&path, format!("it has format {}, this version reads {FORMAT}", record.format)));
        }
        let tls = NodeTls::from_pem(&text(dir, CHAIN_PEM)?, &text(dir, KEY_PEM)?, &text(dir, ROOT_PEM)?);
        let tls = tls.map_err(|error| damaged(&dir.file(CHAIN_PEM), error))?;
        let issuer = match record.role == Role::Hub.as_str() {
            true => Some(IssuerTexts { chain_pem: text(dir, ISSUER_PEM)?, key_pem: text(dir, ISSUER_KEY)? }),
            false => None,
        };
        let identity = Self {
            log_seed: array(dir, LOG_SEED)?,
            seal_secret: array(dir, SEAL_SECRET)?,
            chain: chain_from(&read(dir, CAPABILITY)?).map_err(|error| damaged(&dir.file(CAPABILITY), error))?,
            record,
            tls,
            issuer,
        };
        identity.check().map_err(|what| damaged(&path, what))?;
        Ok(identity)
    }

    /// Writes every part, the record last. The directory must be locked, and hold no node.
    pub fn save(&self, dir: &DataDir) -> Result<(), FilesError> {
        refuse_taken(dir)?;
        let chain = Rows::of(|sink| encode_chain(&self.chain, sink));
        write(dir, ROOT_PEM, self.tls.root_pem().as_bytes())?;
        write(dir, CHAIN_PEM, self.tls.chain_pem().as_bytes())?;
        write(dir, KEY_PEM, self.tls.key_pem().as_bytes())?;
        write(dir, LOG_SEED, &self.log_seed)?;
        write(dir, SEAL_SECRET, &self.seal_secret)?;
        write(dir, CAPABILITY, &chain)?;
        if let Some(issuer) = &self.issuer {
            write(dir, ISSUER_PEM, issuer.chain_pem.as_bytes())?;
            write(dir, ISSUER_KEY, issuer.key_pem.as_bytes())?;
        }
        let record = serde_json::to_vec_pretty(&self.record).map_err(|error| damaged(&dir.file(RECORD), error))?;
        write(dir, RECORD, &record)
    }

    /// Says what does not fit together, if anything.
    pub fn check(&self) -> Result<(), String> {
        let tenant = self.tenant()?;
        let root_key = self.root_key()?;
        let capability = verify_chain(&root_key, tenant, &self.chain).map_err(|error| error.to_string())?;
        let tls = self.tls.identity();
        let same = capability.node.0 == tls.node
            && capability.store.0 == tls.store
            && capability.role.as_str() == role_of(tls.role).as_str()
            && tls.tenant.0 == tenant.0
            && self.record.node == tls.node
            && self.record.store == tls.store
            && self.record.role == capability.role.as_str();
        if !same {
            return Err("certificate, capability and record speak of different nodes".into());
        }
        if capability.log_key != Signer::from_seed(&self.log_seed).public() {
            return Err("the log key is not the one that was enrolled".into());
        }
        if capability.seal_key != public_key(&self.seal_secret) {
            return Err("the key for parcels is not the one that was enrolled".into());
        }
        Ok(())
    }

    /// What the core needs to know.
    pub fn to_core(&self) -> Result<stockroom_core::core::Identity, String> {
        Ok(stockroom_core::core::Identity {
            tenant: self.tenant()?,
            root_key: self.root_key()?,
            chain: self.chain.clone(),
            signer: Signer::from_seed(&self.log_seed),
            seal_secret: self.seal_secret,
        })
    }

    /// The tenant.
    pub fn tenant(&self) -> Result<TenantId, String> {
        fixed(&self.record.tenant).map(TenantId).ok_or_else(|| "the tenant id is not 32 hexadecimal digits".into())
    }

    /// The tenant root's log key.
    pub fn root_key(&self) -> Result<[u8; 32], String> {
        fixed(&self.record.root_key).ok_or_else(|| "the root key is not 64 hexadecimal digits".into())
    }

    /// This node's role.
    pub fn role(&self) -> Role {
        role_of(self.tls.identity().role)
    }

    /// The issuer, at a hub.
    pub fn issuer(&self) -> Option<Result<Issuer, stockroom_transport::AuthorityError>> {
        self.issuer.as_ref().map(|texts| Issuer::load(&texts.chain_pem, &texts.key_pem))
    }
}

impl Record {
    /// The record of a node that was just made.
    pub fn new(tenant: (TenantId, &str), root_key: &[u8; 32], me: &Capability, hubs: Vec<String>) -> Self {
        Self {
            format: FORMAT,
            tenant: hex(&tenant.0.0),
            tenant_name: tenant.1.into(),
            root_key: hex(root_key),
            node: me.node.0,
            role: me.role.as_str().into(),
            store: me.store.0,
            hubs,
            profile: None,
        }
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("record", &self.record).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for IssuerTexts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IssuerTexts")
    }
}

/// Refuses a directory that holds a node.
pub fn refuse_taken(dir: &DataDir) -> Result<(), FilesError> {
    let taken = [dir.file(RECORD), dir.database()].iter().any(|path| path.exists());
    if taken { Err(FilesError::Taken(dir.root().into())) } else { Ok(()) }
}

/// Reads a chain of capabilities from its canonical bytes.
pub fn chain_from(bytes: &[u8]) -> Result<Vec<Capability>, stockroom_crdt::codec::DecodeError> {
    let mut reader = RowReader::new(bytes);
    let chain = decode_chain(&mut reader)?;
    reader.finish()?;
    Ok(chain)
}

/// The same role in the words of the logs.
pub fn role_of(role: stockroom_transport::Role) -> Role {
    match role {
        stockroom_transport::Role::Hub => Role::Hub,
        stockroom_transport::Role::Store => Role::Store,
    }
}

fn fixed<const N: usize>(digits: &str) -> Option<[u8; N]> {
    unhex(digits)?.try_into().ok()
}

fn read(dir: &DataDir, name: &str) -> Result<Vec<u8>, FilesError> {
    let path = dir.file(name);
    read_if_there(&path)?.ok_or_else(|| damaged(&path, "it is missing"))
}

fn text(dir: &DataDir, name: &str) -> Result<String, FilesError> {
    String::from_utf8(read(dir, name)?).map_err(|error| damaged(&dir.file(name), error))
}

fn array(dir: &DataDir, name: &str) -> Result<[u8; 32], FilesError> {
    read(dir, name)?.try_into().map_err(|_| damaged(&dir.file(name), "it has not 32 bytes"))
}

fn write(dir: &DataDir, name: &str, bytes: &[u8]) -> Result<(), FilesError> {
    let path = dir.file(name);
    write_whole(&path, bytes).map_err(io_at("write", &path))
}

fn damaged(path: &Path, what: impl ToString) -> FilesError {
    FilesError::Damaged { path: path.into(), what: what.to_string() }
}

const FORMAT: u32 = 1;
const RECORD: &str = "identity.json";
const ROOT_PEM: &str = "root.pem";
const CHAIN_PEM: &str = "node.pem";
const KEY_PEM: &str = "node.key";
const LOG_SEED: &str = "log.seed";
const SEAL_SECRET: &str = "seal.secret";
const CAPABILITY: &str = "capability.chain";
const ISSUER_PEM: &str = "issuer.pem";
const ISSUER_KEY: &str = "issuer.key";
