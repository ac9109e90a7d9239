//! What each credential says, in the names of its rulebook.

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ciborium::Value as Cbor;
use rand::CryptoRng;
use serde_json::json;
use types::PublicKey;

use super::mdoc::{self, Element};
use super::sd_jwt::SdJwt;
use super::{AUTHORITY, Issuer, portrait};

/// Where the issuer lives: user-assigned by ISO 3166, for a country that does not exist.
pub(super) const COUNTRY: &str = "XU";

/// Bytes of the photo on the identity card.
const PHOTO_LEN: usize = 40 << 10;
/// Bytes of the photo in the driving licence.
const SMALL_PHOTO_LEN: usize = 4 << 10;

impl Issuer {
    /// Person identification data: the mandatory and most optional attributes of the PID rulebook
    /// (version 1.7, 4.1.1).
    pub(super) fn pid(
        &self,
        rng: &mut dyn CryptoRng,
        holder: Option<&PublicKey>,
    ) -> Result<Vec<u8>> {
        let mut pid = SdJwt::new("urn:eudi:pid:1", self, holder);
        pid.disclosable(rng, "family_name", json!("Løvås-Nguyễn"));
        pid.disclosable(rng, "given_name", json!("Ása Marie"));
        pid.disclosable(rng, "birthdate", json!("1984-02-29"));
        pid.disclosable(
            rng,
            "place_of_birth",
            json!({"country": COUNTRY, "locality": "Hafnarvík"}),
        );
        pid.disclosable_list(rng, "nationalities", vec![json!(COUNTRY), json!("FR")]);
        pid.disclosable_members(
            rng,
            "address",
            vec![
                ("street_address", json!("Strandgata")),
                ("house_number", json!("7b")),
                ("postal_code", json!("0417")),
                ("locality", json!("Hafnarvík")),
                ("country", json!(COUNTRY)),
            ],
        );
        pid.disclosable(rng, "birth_family_name", json!("Nguyễn"));
        pid.disclosable(rng, "sex", json!(2));
        pid.disclosable(rng, "email", json!("asa@example.org"));
        pid.disclosable(rng, "phone_number", json!("+990417000001"));
        pid.disclosable(rng, "personal_administrative_number", json!("XU-290284-0417"));
        pid.disclosable(rng, "document_number", json!("P0417290284"));
        pid.disclosable(rng, "date_of_issuance", json!(Self::date(self.issued)));
        pid.disclosable(rng, "date_of_expiry", json!(Self::date(self.expires)));
        pid.claim("issuing_authority", json!(AUTHORITY));
        pid.claim("issuing_country", json!(COUNTRY));
        pid.sign(rng)
    }

    /// A licence to practise, of the kind that a chamber or an authority issues.
    pub(super) fn licence(
        &self,
        rng: &mut dyn CryptoRng,
        holder: Option<&PublicKey>,
    ) -> Result<Vec<u8>> {
        let mut licence = SdJwt::new("urn:example:holdfast:professional-licence:1", self, holder);
        licence.disclosable(rng, "family_name", json!("Løvås-Nguyễn"));
        licence.disclosable(rng, "given_name", json!("Ása Marie"));
        licence.disclosable(rng, "registration_number", json!("MD-1984-0417"));
        licence.disclosable_list(
            rng,
            "specialities",
            vec![json!("anaesthesiology"), json!("intensive care medicine")],
        );
        licence.disclosable(rng, "date_of_expiry", json!(Self::date(self.expires)));
        licence.claim("profession", json!("physician"));
        licence.claim("issuing_authority", json!(AUTHORITY));
        licence.claim("issuing_country", json!(COUNTRY));
        licence.sign(rng)
    }

    /// An identity card whose photo fills most of it.
    pub(super) fn card(
        &self,
        rng: &mut dyn CryptoRng,
        holder: Option<&PublicKey>,
    ) -> Result<Vec<u8>> {
        let photo = STANDARD.encode(portrait::jpeg(PHOTO_LEN));
        let mut card = SdJwt::new("urn:example:holdfast:identity-card:1", self, holder);
        card.disclosable(rng, "family_name", json!("Løvås-Nguyễn"));
        card.disclosable(rng, "given_name", json!("Ása Marie"));
        card.disclosable(rng, "birthdate", json!("1984-02-29"));
        card.disclosable(rng, "picture", json!(format!("data:image/jpeg;base64,{photo}")));
        card.disclosable(rng, "document_number", json!("C0417290284"));
        card.claim("issuing_authority", json!(AUTHORITY));
        card.claim("issuing_country", json!(COUNTRY));
        card.sign(rng)
    }

    /// A mobile driving licence: the mandatory elements of ISO/IEC 18013-5, 7.2.1.
    pub(super) fn driving_licence(
        &self,
        rng: &mut dyn CryptoRng,
        device: &PublicKey,
    ) -> Result<Vec<u8>> {
        let date = |text: &str| Cbor::Tag(mdoc::FULL_DATE, Box::new(text.into()));
        let privilege = |category: &str| {
            Cbor::Map(vec![
                ("vehicle_category_code".into(), category.into()),
                ("issue_date".into(), date("2003-06-18")),
                ("expiry_date".into(), date(&Self::date(self.expires))),
            ])
        };
        let elements: Vec<Element> = vec![
            ("family_name", "Løvås-Nguyễn".into()),
            ("given_name", "Ása Marie".into()),
            ("birth_date", date("1984-02-29")),
            ("issue_date", date(&Self::date(self.issued))),
            ("expiry_date", date(&Self::date(self.expires))),
            ("issuing_country", COUNTRY.into()),
            ("issuing_authority", AUTHORITY.into()),
            ("document_number", "D0417290284".into()),
            ("portrait", Cbor::Bytes(portrait::jpeg(SMALL_PHOTO_LEN))),
            ("driving_privileges", Cbor::Array(vec![privilege("B"), privilege("C1")])),
            ("un_distinguishing_sign", "UTO".into()),
        ];
        let (doc_type, space) = ("org.iso.18013.5.1.mDL", "org.iso.18013.5.1");
        self.mdoc(rng, doc_type, space, elements, device)
    }
}
