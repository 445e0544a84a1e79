//! A node's own certificate chain, private key and tenant root, and their PEM texts. Knows nothing of files.

use std::fmt;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::identity::{
    IdentityError, Named, PeerIdentity, TenantId, extra_names, named, not_after_unix_s, peer_identity, sha256,
};
use crate::limits::CHAIN_MAX;

/// Why a node's own credentials cannot be used. The node must be enrolled again or its files repaired; retrying does not help.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// A text is not PEM, or holds no certificate or key.
    #[error("{0} is not readable PEM")]
    Pem(&'static str),
    /// The chain's names are not those of a node of the root's tenant.
    #[error("own certificate is unusable")]
    Identity(#[from] IdentityError),
    /// The root is not one of ours.
    #[error("not a tenant root")]
    Root,
}

/// What a node needs to take part in its tenant.
pub struct NodeTls {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    root: CertificateDer<'static>,
    identity: PeerIdentity,
}

impl NodeTls {
    /// Puts a chain (leaf, issuer) as issued, the node's key (PKCS #8 PEM) and the root together. Names are checked here; that key
    /// and leaf belong together is checked when a connection configuration is made.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key_pem: &str,
        root: CertificateDer<'static>,
    ) -> Result<NodeTls, CredentialError> {
        let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(|_| CredentialError::Pem("private key"))?;
        if chain.len() > CHAIN_MAX {
            return Err(IdentityError::Malformed.into());
        }
        let Ok(Named::Root(tenant)) = named(&root) else { return Err(CredentialError::Root) };
        let identity = peer_identity(&chain, tenant)?;
        Ok(NodeTls { chain, key, root, identity })
    }

    /// Reads the three texts that [`NodeTls::chain_pem`], the key and [`NodeTls::root_pem`] were saved as.
    pub fn from_pem(chain_pem: &str, key_pem: &str, root_pem: &str) -> Result<NodeTls, CredentialError> {
        let chain = certificates_from_pem(chain_pem)?;
        let [root] = <[_; 1]>::try_from(certificates_from_pem(root_pem)?).map_err(|_| CredentialError::Root)?;
        NodeTls::new(chain, key_pem, root)
    }

    /// Who this node is to its peers.
    pub fn identity(&self) -> &PeerIdentity {
        &self.identity
    }

    /// The tenant of the root.
    pub fn tenant(&self) -> TenantId {
        self.identity.tenant
    }

    /// Leaf, then issuer.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The tenant's root certificate.
    pub fn root(&self) -> &CertificateDer<'static> {
        &self.root
    }

    /// The node's private key.
    pub fn key(&self) -> &PrivateKeyDer<'static> {
        &self.key
    }

    /// SHA-256 of the root's DER.
    pub fn root_fingerprint(&self) -> [u8; 32] {
        sha256(&self.root)
    }

    /// The second after which the leaf is refused by peers. Renew at a third of its life (S6).
    pub fn not_after_unix_s(&self) -> Result<u64, CredentialError> {
        let leaf = self.chain.first().ok_or(IdentityError::Malformed)?;
        Ok(not_after_unix_s(leaf)?)
    }

    /// DNS names and addresses for people in the leaf, as `init` and `join` were told.
    pub fn extra_names(&self) -> Result<Vec<String>, CredentialError> {
        let leaf = self.chain.first().ok_or(IdentityError::Malformed)?;
        Ok(extra_names(leaf)?)
    }

    /// The chain as text to save.
    pub fn chain_pem(&self) -> String {
        pem_of(&self.chain)
    }

    /// The private key as text to save, mode 0600.
    pub fn key_pem(&self) -> String {
        pem::encode(&pem::Pem::new("PRIVATE KEY", self.key.secret_der()))
    }

    /// The root as text to save.
    pub fn root_pem(&self) -> String {
        pem_of(std::slice::from_ref(&self.root))
    }
}

impl Clone for NodeTls {
    fn clone(&self) -> NodeTls {
        NodeTls {
            chain: self.chain.clone(),
            key: self.key.clone_key(),
            root: self.root.clone(),
            identity: self.identity,
        }
    }
}

impl fmt::Debug for NodeTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeTls").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// Every certificate of a PEM text, in order; at least one.
pub fn certificates_from_pem(text: &str) -> Result<Vec<CertificateDer<'static>>, CredentialError> {
    let certs: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match certs {
        Ok(certs) if !certs.is_empty() => Ok(certs),
        _ => Err(CredentialError::Pem("certificate")),
    }
}

/// Certificates as PEM text, in order.
pub fn pem_of(certs: &[CertificateDer<'_>]) -> String {
    let blocks: Vec<_> = certs.iter().map(|cert| pem::Pem::new("CERTIFICATE", cert.to_vec())).collect();
    pem::encode_many(&blocks)
}
