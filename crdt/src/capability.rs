//! Who may write at all: a chain of signed statements from the tenant's root to a node's log key.
//!
//! The log key (Ed25519) is not the TLS key. A capability never expires by a clock; it ends by a fence
//! ([`crate::control::Fence`]) at a position of each log.

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use crate::codec::{DecodeError, Rows, Sink, Source, col};
use crate::ids::{NodeId, StoreId, TenantId};
use crate::limits::CAPABILITY_CHAIN_MAX;

/// What a node is in its tenant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Role {
    /// A regional hub, or the cloud above hubs.
    Hub,
    /// The node in a store's back room.
    Store,
}

impl Role {
    /// The word for people and for certificates.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hub => "hub",
            Self::Store => "store",
        }
    }
}

/// "`issuer` says: `node` is a `role`, writes with `log_key`, and opens parcels with `seal_key`."
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Capability {
    /// The node that is admitted.
    pub node: NodeId,
    /// What it is.
    pub role: Role,
    /// Its store; 0 for a hub.
    pub store: StoreId,
    /// Ed25519 public key that signs its logs.
    pub log_key: [u8; 32],
    /// X25519 public key to which parcels for it are sealed.
    pub seal_key: [u8; 32],
    /// First node id that it may give out (hubs; 0 for none).
    pub range_first: u32,
    /// Last node id that it may give out.
    pub range_last: u32,
    /// When it was issued, milliseconds since 1970, for display.
    pub issued_ms: u64,
    /// Who says so; node 0 is the tenant's root.
    pub issuer: NodeId,
    /// Ed25519 by the issuer's log key.
    pub signature: [u8; 64],
}

/// Why a chain of capabilities is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// No capability, or more than a chain may have.
    #[error("a capability chain has 1 to {CAPABILITY_CHAIN_MAX} links")]
    Length,
    /// A link names another issuer than the link above it.
    #[error("a capability is not issued by the one above it")]
    Issuer,
    /// The issuer is not a hub, or gave out a node id or a range of them that is not in its own range.
    #[error("the issuer of a capability was not entitled to give it")]
    Entitlement,
    /// A signature does not verify.
    #[error("a capability's signature is wrong")]
    Signature,
}

impl Capability {
    /// Signs these words with the issuer's key.
    pub fn sign(mut self, tenant: TenantId, issuer: &Signer) -> Self {
        self.signature = issuer.sign(&self.message(tenant));
        self
    }

    fn message(&self, tenant: TenantId) -> Vec<u8> {
        let mut rows = Rows::default();
        rows.array(col::RAW, b"stockroom/capability/1");
        rows.array(col::RAW, &tenant.0);
        self.encode_words(&mut rows);
        rows.into_bytes()
    }

    fn encode_words(&self, sink: &mut impl Sink) {
        sink.uint(col::ACTOR_NODE, u64::from(self.node.0));
        sink.uint(col::A, (self.role == Role::Store).into());
        sink.uint(col::STORE, u64::from(self.store.0));
        sink.array(col::DIGEST, &self.log_key);
        sink.array(col::DIGEST, &self.seal_key);
        sink.uint(col::B, u64::from(self.range_first));
        sink.uint(col::C, u64::from(self.range_last));
        sink.uint(col::TIME, self.issued_ms);
        sink.uint(col::D, u64::from(self.issuer.0));
    }

    /// Writes the words and the signature.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.encode_words(sink);
        sink.array(col::SIGNATURE, &self.signature);
    }

    /// Reads what [`Capability::encode`] wrote. Says nothing about its truth: see [`verify_chain`].
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let capability = Self {
            node: NodeId(source.u32(col::ACTOR_NODE)?),
            role: if source.flag(col::A)? { Role::Store } else { Role::Hub },
            store: StoreId(source.u32(col::STORE)?),
            log_key: source.array(col::DIGEST)?,
            seal_key: source.array(col::DIGEST)?,
            range_first: source.u32(col::B)?,
            range_last: source.u32(col::C)?,
            issued_ms: source.uint(col::TIME)?,
            issuer: NodeId(source.u32(col::D)?),
            signature: source.array(col::SIGNATURE)?,
        };
        let store_given = capability.store.0 != 0;
        if capability.node.0 == 0 || store_given != (capability.role == Role::Store) {
            return Err(DecodeError::Value("capability"));
        }
        Ok(capability)
    }

    /// A hub may give out the ids of its range, and no more than that range for giving out further.
    fn may_issue(&self, link: &Self) -> bool {
        let range = self.range_first..=self.range_last;
        let gives_none = (link.range_first, link.range_last) == (0, 0);
        let within = range.contains(&link.range_first) && range.contains(&link.range_last);
        self.role == Role::Hub && range.contains(&link.node.0) && (gives_none || within)
    }
}

/// Verifies a chain from the tenant's root key down and gives its last link.
pub fn verify_chain<'a>(
    root: &[u8; 32],
    tenant: TenantId,
    chain: &'a [Capability],
) -> Result<&'a Capability, ChainError> {
    if chain.is_empty() || chain.len() > CAPABILITY_CHAIN_MAX {
        return Err(ChainError::Length);
    }
    let mut above: Option<&Capability> = None;
    for link in chain {
        let (issuer, key) = above.map_or((NodeId(0), root), |a| (a.node, &a.log_key));
        if link.issuer != issuer {
            return Err(ChainError::Issuer);
        }
        if above.is_some_and(|a| !a.may_issue(link)) {
            return Err(ChainError::Entitlement);
        }
        if !verify(key, &link.message(tenant), &link.signature) {
            return Err(ChainError::Signature);
        }
        above = Some(link);
    }
    above.ok_or(ChainError::Length)
}

/// Writes a chain.
pub fn encode_chain(chain: &[Capability], sink: &mut impl Sink) {
    sink.uint(col::COUNT, chain.len() as u64);
    chain.iter().for_each(|link| link.encode(sink));
}

/// Reads what [`encode_chain`] wrote.
pub fn decode_chain(source: &mut impl Source) -> Result<Vec<Capability>, DecodeError> {
    let count = source.count(col::COUNT, CAPABILITY_CHAIN_MAX, "capabilities")?;
    (0..count).map(|_| Capability::decode(source)).collect()
}

/// An Ed25519 signing key.
pub struct Signer {
    pair: Ed25519KeyPair,
    public: [u8; 32],
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer")
    }
}

impl Signer {
    /// The key that a secret seed of 32 random bytes stands for.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 bytes are an Ed25519 seed");
        let mut public = [0; 32];
        public.copy_from_slice(pair.public_key().as_ref());
        Self { pair, public }
    }

    /// The public key.
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    /// Signs a message that begins with its own domain.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut out = [0; 64];
        out.copy_from_slice(self.pair.sign(message).as_ref());
        out
    }
}

/// True when `key` signed `message`.
pub fn verify(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capability(node: u32, role: Role, issuer: u32, key: &Signer) -> Capability {
        Capability {
            node: NodeId(node),
            role,
            store: StoreId(if role == Role::Store { 7 } else { 0 }),
            log_key: key.public(),
            seal_key: [0; 32],
            range_first: 100,
            range_last: 199,
            issued_ms: 1,
            issuer: NodeId(issuer),
            signature: [0; 64],
        }
    }

    #[test]
    fn a_chain_is_believed_only_from_its_own_root_and_tenant() {
        let (root, hub, store) =
            (Signer::from_seed(&[1; 32]), Signer::from_seed(&[2; 32]), Signer::from_seed(&[3; 32]));
        let tenant = TenantId([9; 16]);
        let hub_cap = capability(1, Role::Hub, 0, &hub).sign(tenant, &root);
        let store_cap = capability(150, Role::Store, 1, &store).sign(tenant, &hub);
        let chain = [hub_cap.clone(), store_cap.clone()];
        assert_eq!(verify_chain(&root.public(), tenant, &chain).unwrap().node, NodeId(150));
        assert_eq!(verify_chain(&hub.public(), tenant, &chain), Err(ChainError::Signature));
        assert_eq!(verify_chain(&root.public(), TenantId([8; 16]), &chain), Err(ChainError::Signature));
        let outside = capability(200, Role::Store, 1, &store).sign(tenant, &hub);
        assert_eq!(verify_chain(&root.public(), tenant, &[hub_cap.clone(), outside]), Err(ChainError::Entitlement));
        let by_store = capability(151, Role::Store, 150, &store).sign(tenant, &store);
        assert_eq!(verify_chain(&root.public(), tenant, &[hub_cap, store_cap, by_store]), Err(ChainError::Entitlement));
        assert_eq!(verify_chain(&root.public(), tenant, &[]), Err(ChainError::Length));
    }
}
