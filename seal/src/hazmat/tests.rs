//! Both back ends, held to published vectors and to each other.
#![allow(clippy::unwrap_used)]

mod standards;
mod unison;
mod wycheproof;

use rand::CryptoRng;

use super::{NONCE_LEN, POINT_LEN, SIGNATURE_LEN, aws, rustcrypto};

/// What a back end offers, so that one test can run on each.
trait Backend: Sync {
    fn name(&self) -> &'static str;
    fn sha256(&self, parts: &[&[u8]]) -> [u8; 32];
    fn hmac(&self, key: &[u8], parts: &[&[u8]]) -> [u8; 32];
    fn expand(&self, prk: &[u8; 32], info: &[&[u8]], out: &mut [u8]);
    fn seal(&self, key: &[u8; 32], nonce: &[u8; NONCE_LEN], aad: &[u8], text: &[u8]) -> Vec<u8>;
    fn open(
        &self,
        key: &[u8; 32],
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        sealed: &[u8],
    ) -> Option<Vec<u8>>;
    fn on_curve(&self, point: &[u8; POINT_LEN]) -> bool;
    fn verify(&self, public: &[u8; POINT_LEN], message: &[u8], s: &[u8; SIGNATURE_LEN]) -> bool;
    fn sign(
        &self,
        scalar: &[u8; 32],
        rng: &mut dyn CryptoRng,
        message: &[u8],
    ) -> Option<[u8; SIGNATURE_LEN]>;
    /// The public keys by way of signing and of agreement.
    fn publics(&self, scalar: &[u8; 32]) -> [Option<[u8; POINT_LEN]>; 2];
    fn agree(&self, scalar: &[u8; 32], peer: &[u8; POINT_LEN]) -> Option<[u8; 32]>;
    fn scalar_of_pkcs8(&self, der: &[u8]) -> Option<[u8; 32]>;
}

macro_rules! backend {
    ($name:ident, $module:ident) => {
        struct $name;

        impl Backend for $name {
            fn name(&self) -> &'static str {
                stringify!($module)
            }
            fn sha256(&self, parts: &[&[u8]]) -> [u8; 32] {
                $module::sha256(parts)
            }
            fn hmac(&self, key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
                *$module::hmac(key, parts).expose()
            }
            fn expand(&self, prk: &[u8; 32], info: &[&[u8]], out: &mut [u8]) {
                $module::expand(prk, info, out);
            }
            fn seal(
                &self,
                key: &[u8; 32],
                nonce: &[u8; NONCE_LEN],
                aad: &[u8],
                text: &[u8],
            ) -> Vec<u8> {
                let mut sealed = text.to_vec();
                let tag = $module::seal_gcm(key, nonce, aad, &mut sealed);
                sealed.extend_from_slice(&tag);
                sealed
            }
            fn open(
                &self,
                key: &[u8; 32],
                nonce: &[u8; NONCE_LEN],
                aad: &[u8],
                sealed: &[u8],
            ) -> Option<Vec<u8>> {
                $module::open_gcm(key, nonce, aad, sealed).map(|text| text.expose().to_vec())
            }
            fn on_curve(&self, point: &[u8; POINT_LEN]) -> bool {
                $module::on_curve(point)
            }
            fn verify(
                &self,
                public: &[u8; POINT_LEN],
                message: &[u8],
                signature: &[u8; SIGNATURE_LEN],
            ) -> bool {
                $module::verify(public, message, signature)
            }
            fn sign(
                &self,
                scalar: &[u8; 32],
                rng: &mut dyn CryptoRng,
                message: &[u8],
            ) -> Option<[u8; SIGNATURE_LEN]> {
                $module::SigningKey::from_scalar(scalar)?.sign(rng, message)
            }
            fn publics(&self, scalar: &[u8; 32]) -> [Option<[u8; POINT_LEN]>; 2] {
                [
                    $module::SigningKey::from_scalar(scalar).map(|key| key.public()),
                    $module::AgreementKey::from_scalar(scalar).map(|key| key.public()),
                ]
            }
            fn agree(&self, scalar: &[u8; 32], peer: &[u8; POINT_LEN]) -> Option<[u8; 32]> {
                let shared = $module::AgreementKey::from_scalar(scalar)?.agree(peer)?;
                Some(*shared.expose())
            }
            fn scalar_of_pkcs8(&self, der: &[u8]) -> Option<[u8; 32]> {
                $module::scalar_of_pkcs8(der).map(|scalar| *scalar.expose())
            }
        }
    };
}

backend!(Aws, aws);
backend!(RustCrypto, rustcrypto);

const BACKENDS: [&dyn Backend; 2] = [&Aws, &RustCrypto];

fn hex(text: &str) -> Vec<u8> {
    ::hex::decode(text).unwrap()
}

fn array<const N: usize>(text: &str) -> [u8; N] {
    hex(text).try_into().unwrap()
}
