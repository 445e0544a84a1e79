//! Personal data in a log: sealed to one node's key, so that whoever carries or stores the entry reads nothing.
//!
//! HPKE (RFC 9180) base mode with X25519, HKDF-SHA256 and ChaCha20-Poly1305, bound to the tenant and to what it is about.

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use rand_chacha::ChaCha8Rng;
use stockroom_crdt::ids::TenantId;

use crate::sync::parcel::seal_keys;

/// Seals `plain` to whoever has the secret behind `key`. `None` when the key is no point on the curve.
pub fn seal(key: &[u8; 32], (tenant, about): (TenantId, &[u8]), plain: &[u8], rng: &mut ChaCha8Rng) -> Option<Vec<u8>> {
    let key = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(key).ok()?;
    let (encapsulated, cipher) = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &key,
        &info(tenant),
        plain,
        about,
        rng,
    )
    .ok()?;
    Some([encapsulated.to_bytes().as_slice(), &cipher].concat())
}

/// Opens what was sealed to the key of this secret. `None` when it was sealed to another, or is about something else.
pub fn open(secret: &[u8; 32], (tenant, about): (TenantId, &[u8]), sealed: &[u8]) -> Option<Vec<u8>> {
    let (encapsulated, cipher) = sealed.split_at_checked(KEY_BYTES)?;
    let encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated).ok()?;
    let (secret, _) = seal_keys(secret);
    hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &secret,
        &encapsulated,
        &info(tenant),
        cipher,
        about,
    )
    .ok()
}

fn info(tenant: TenantId) -> Vec<u8> {
    [b"stockroom contact".as_slice(), &tenant.0].concat()
}

/// Bytes of an X25519 public key.
const KEY_BYTES: usize = 32;
