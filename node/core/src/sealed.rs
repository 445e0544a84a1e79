//! What only some can read: sealed to a node's key, or under a key that is kept apart, so that whoever else carries or stores it reads nothing.
//!
//! To a node: HPKE (RFC 9180) base mode with X25519, HKDF-SHA256 and ChaCha20-Poly1305, bound to the tenant, to what it is for and to what it is about.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305 as Cipher, KeyInit, Nonce};
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;
use stockroom_crdt::ids::TenantId;

/// What something is sealed for. What was sealed for one purpose does not open for another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// Frames to a node that has no link, carried by a neighbour.
    Parcel,
    /// A customer's name, address and telephone in an order.
    Contact,
}

/// To what a sealed text is bound: purpose, tenant, and what it is about.
pub type Binding<'a> = (Purpose, TenantId, &'a [u8]);

/// Seals `plain` to whoever has the secret behind `key`. `None` when the key is no point on the curve.
pub fn seal(
    key: &[u8; 32],
    (purpose, tenant, about): Binding<'_>,
    plain: &[u8],
    rng: &mut ChaCha8Rng,
) -> Option<Vec<u8>> {
    let key = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(key).ok()?;
    let (encapsulated, cipher) = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &key,
        &info(purpose, tenant),
        plain,
        about,
        rng,
    )
    .ok()?;
    Some([encapsulated.to_bytes().as_slice(), &cipher].concat())
}

/// Opens what was sealed to the key of this secret. `None` when it was sealed to another, or is about something else.
pub fn open(secret: &[u8; 32], (purpose, tenant, about): Binding<'_>, sealed: &[u8]) -> Option<Vec<u8>> {
    let (encapsulated, cipher) = sealed.split_at_checked(KEY_BYTES)?;
    let encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated).ok()?;
    let (secret, _) = X25519HkdfSha256::derive_keypair(secret);
    hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &secret,
        &encapsulated,
        &info(purpose, tenant),
        cipher,
        about,
    )
    .ok()
}

/// Seals `plain` under a key that whoever may read it holds already, bound to what it is about.
pub fn wrap(key: &[u8; 32], about: &[u8], plain: &[u8], rng: &mut ChaCha8Rng) -> Option<Vec<u8>> {
    let mut nonce = [0; NONCE_BYTES];
    rng.fill_bytes(&mut nonce);
    let cipher = Cipher::new_from_slice(key).ok()?;
    let sealed = cipher.encrypt(&Nonce::from(nonce), Payload { msg: plain, aad: about }).ok()?;
    Some([nonce.as_slice(), &sealed].concat())
}

/// Opens what [`wrap`] sealed. `None` under another key, or when it is about something else.
pub fn unwrap(key: &[u8; 32], about: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
    let cipher = Cipher::new_from_slice(key).ok()?;
    cipher.decrypt(&Nonce::from(*nonce), Payload { msg: sealed, aad: about }).ok()
}

/// The public key that belongs to a node's secret.
pub fn public_key(secret: &[u8; 32]) -> [u8; 32] {
    let (_, public) = X25519HkdfSha256::derive_keypair(secret);
    let mut out = [0; KEY_BYTES];
    out.copy_from_slice(&public.to_bytes());
    out
}

fn info(purpose: Purpose, tenant: TenantId) -> Vec<u8> {
    let label: &[u8] = match purpose {
        Purpose::Parcel => b"stockroom/parcel/1",
        Purpose::Contact => b"stockroom contact",
    };
    [label, &tenant.0].concat()
}

/// Bytes of an X25519 public key.
const KEY_BYTES: usize = 32;

/// Bytes of a nonce: random ones do not repeat within the few thousand values that one member's key ever seals.
const NONCE_BYTES: usize = 12;
