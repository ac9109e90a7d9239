//! What is secret cannot be printed, copied or compared by accident.

use std::fmt::{Debug, Display};
use std::marker::PhantomData;

use seal::es256::SoftwareKey;
use seal::{
    CodeText, DataKey, DeviceKeys, EpochKey, ExportReader, ExportWriter, LocalKey, RecoveryCode,
    RevokerCode, Secret32, ServerKeyring, SoftwareMember, WalletKey,
};

/// Asks whether a type has a trait: the constant of `Has` stands for every type, and one of the
/// same name on `Probe` itself goes before it where the type has the trait.
struct Probe<T>(PhantomData<T>);

trait Has {
    const DEBUG: bool = false;
    const DISPLAY: bool = false;
    const CLONE: bool = false;
    const EQ: bool = false;
}

impl<T> Has for Probe<T> {}

impl<T: Debug> Probe<T> {
    const DEBUG: bool = true;
}

impl<T: Display> Probe<T> {
    const DISPLAY: bool = true;
}

impl<T: Clone> Probe<T> {
    const CLONE: bool = true;
}

impl<T: PartialEq> Probe<T> {
    const EQ: bool = true;
}

macro_rules! traits {
    ($type:ty) => {
        [Probe::<$type>::DEBUG, Probe::<$type>::DISPLAY, Probe::<$type>::CLONE, Probe::<$type>::EQ]
    };
}

#[test]
fn secrets_have_none_of_these_traits() {
    assert_eq!(traits!(String), [true; 4], "the control");
    assert_eq!(traits!(Secret32), [false; 4]);
    assert_eq!(traits!(SoftwareKey), [false; 4]);
    assert_eq!(traits!(SoftwareMember), [false; 4]);
    assert_eq!(traits!(WalletKey), [false; 4]);
    assert_eq!(traits!(RecoveryCode), [false; 4]);
    assert_eq!(traits!(RevokerCode), [false; 4]);
    assert_eq!(traits!(CodeText), [false; 4]);
    assert_eq!(traits!(DeviceKeys), [false; 4]);
    assert_eq!(traits!(LocalKey), [false; 4]);
    assert_eq!(traits!(ExportWriter), [false; 4]);
    assert_eq!(traits!(ExportReader), [false; 4]);
    assert_eq!(traits!(DataKey), [false; 4]);
    assert_eq!(traits!(EpochKey), [false; 4]);
    assert_eq!(traits!(ServerKeyring), [false; 4]);
}
