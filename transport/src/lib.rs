//! Bytes between nodes: QUIC links under a tenant's own certificates. Knows no shop.
//!
//! A *link* is one QUIC connection to one peer whose node id, role and tenant come from its verified certificate. Five lanes carry
//! frames over it in strict priority; credit keeps what waits below one bandwidth-delay product, so that the caller decides late
//! what is worth sending. The crate remembers addresses and dials them; what the frames mean is the caller's business.
//!
//! # Map, in reading order
//!
//! | module | what it knows |
//! |---|---|
//! | [`limits`] | every bound, with its reason |
//! | [`identity`] | who a certificate says the peer is |
//! | [`authority`] | the tenant's root, the hubs' issuers, signing requests |
//! | [`credential`] | a node's own chain, key and root, as PEM |
//! | [`trust`] | which chain is believed at which time: the rustls configurations |
//! | [`pages`] | the name and certificates of a node's own pages, made by the node itself |
//! | `frame` | length-delimited frames in a stream |
//! | `lanes` | the send queue of a link: strict priority and credit |
//! | `backoff`, `targets` | when to dial which address (pure) |
//! | `gate` | who may start a handshake (pure) |
//! | `table` | which connection to a node is kept (pure decisions) |
//! | `link` | the tasks of one live link |
//! | [`net`] | the endpoint, its supervisor and the public handle |
//! | `discovery` | addresses heard by mDNS, as hints |
//! | [`enrol`] | the port where a box without a certificate asks for one |
//!
//! # Promises
//!
//! * A peer's identity comes only from a certificate chain that ends at this tenant's root (S1, S2).
//! * No application byte is sent or handed up before *both* ends have verified, admitted and kept the connection (S3): the dialer
//!   opens lane 0 as its claim and waits for the accepter's lane 0 before it reports [`NetEvent::Up`].
//! * Every queue, count and wait is bounded, and every task is joined by [`Net::shutdown`].

pub mod authority;
mod backoff;
pub mod credential;
mod discovery;
pub mod enrol;
mod frame;
mod gate;
pub mod identity;
mod lanes;
pub mod limits;
mod link;
pub mod net;
pub mod pages;
mod table;
mod targets;
pub mod trust;

pub use authority::{AuthorityError, Issuer, LeafNames, TenantRoot, new_key_and_csr};
pub use credential::{CredentialError, NodeTls};
pub use discovery::Announcement;
pub use identity::{IdentityError, PeerIdentity, Role, TenantId};
pub use lanes::SendError;
pub use link::{LinkId, LinkStats};
pub use net::{Admit, Congestion, Net, NetConfig, NetError, NetEvent};
pub use pages::{PageAuthority, PageLeaf, PageNames};
pub use table::Totals;
pub use targets::PeerAddr;
pub use trust::TlsClock;
