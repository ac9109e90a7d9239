//! Devices and the other members of a wallet: who they are, and how one is put out.
//!
//! The cluster knows members by their keys only. What people call a device is a record of the wallet,
//! one per device, so that two devices never write the same one.

use seal::MemberKeys;
use types::{LinkPayload, MemberKind, MemberState, Revoke, ids::MemberId};

use super::Wallet;
use crate::{
    error::{ClientError, Refusal, Usage},
    local::Known,
    record::Record,
    sync::{
        MergeReport,
        draft::{Chain, Sealed},
    },
};

const KIND: &str = "holdfast/device";
const NAME_FIELD: &str = "name";

/// A member of the wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its member id.
    pub id: MemberId,
    /// Device, recovery code, passphrase or revoker.
    pub kind: MemberKind,
    /// What its owner calls it, if it said so.
    pub name: Option<String>,
    /// Whether it is a member now.
    pub active: bool,
    /// Whether it is this device.
    pub this: bool,
    /// Number of the link that added it.
    pub added: u32,
    /// Number of the link that revoked it.
    pub revoked: Option<u32>,
}

impl Device {
    pub(super) fn of(state: &MemberState, name: Option<String>, this: bool) -> Self {
        Self {
            id: state.id,
            kind: state.member.kind(),
            name,
            active: state.is_active(),
            this,
            added: state.added,
            revoked: state.revoked,
        }
    }
}

impl Wallet {
    /// Everybody who is or was a member, in the order they came, as this device knows it.
    ///
    /// # Errors
    /// [`crate::LocalError`].
    pub fn devices(&self) -> Result<Vec<Device>, ClientError> {
        self.devices_of(self.known()?)
    }

    pub(super) fn devices_of(&self, known: &Known) -> Result<Vec<Device>, ClientError> {
        let mut devices = Vec::new();
        for state in known.membership.members() {
            let record = self.find(&record_name(&state.id))?.and_then(|found| found.record);
            let name = record.and_then(|mut record| record.fields.remove(NAME_FIELD));
            devices.push(Device::of(state, name, state.id == self.member.id()));
        }
        Ok(devices)
    }

    /// Names this device, for its owner's eyes only; the next push tells the other devices.
    ///
    /// # Errors
    /// [`Usage::Record`] if the name is too long; [`crate::LocalError`].
    pub fn name_device(&mut self, name: &str) -> Result<(), ClientError> {
        let mut record = Record::new(KIND, record_name(&self.member.id()), Vec::new());
        record.fields.insert(NAME_FIELD.to_owned(), name.to_owned());
        self.put_any(record)
    }

    /// Revokes a device and changes the wallet key, in one commit. When this returns, every node refuses
    /// the device, and nothing that is written from now on opens with what it knows.
    ///
    /// # Errors
    /// [`Usage::RevokesItself`]; [`Refusal::NotActive`] if it is no member now; [`Refusal::Link`] if it
    /// is a member that only the recovery code may revoke; otherwise as [`Wallet::push`].
    pub async fn revoke(&mut self, device: MemberId) -> Result<(), ClientError> {
        if device == self.member.id() {
            return Err(Usage::RevokesItself.into());
        }
        let mut merged = MergeReport::default();
        self.finish(&mut merged).await?;
        self.pull().await?;
        let make = |wallet: &mut Self| {
            let known = wallet.known()?;
            if known.membership.active(&device).is_none() {
                return Err(Refusal::NotActive(device).into());
            }
            let mut chain = Chain::of(known);
            let revoke = LinkPayload::Revoke(Revoke { member: device, reason: 0 });
            let before = wallet.wallet_key()?;
            chain.append(&[&wallet.member], revoke, &mut wallet.random)?;
            chain.rotate(&wallet.member, &before, &mut wallet.random)?;
            wallet.draft(chain, Sealed::default()).map(Some)
        };
        self.submit(make, &mut merged).await?;
        Ok(())
    }
}

fn record_name(device: &MemberId) -> String {
    format!("{KIND}/{device}")
}
