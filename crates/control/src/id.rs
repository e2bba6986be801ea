//! Identities: one type per noun, so that a job's id cannot be passed where an item's is wanted.
//!
//! All of them are UUIDs. They print in the hyphenated form with lower-case digits and parse any
//! form that `uuid` accepts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The UUID itself.
            pub fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }
    )*};
}

ids! {
    /// Identity of a tenant (a directory of principals).
    TenantId;
    /// Identity of a subscription.
    SubscriptionId;
    /// Identity of a Recovery Services vault.
    VaultId;
    /// Identity of a protected item.
    ItemId;
    /// Identity of a recovery point; the same id names the point in the vault's store, the
    /// bitmaps and the snapshot on the hypervisor.
    PointId;
    /// Identity of a job.
    JobId;
    /// Identity of a virtual machine (`vmId`); stable over renames.
    VmId;
    /// Identity of a long-running operation at the REST surface.
    OperationId;
    /// Identity of a principal; for a service principal also its application (client) id.
    PrincipalId;
    /// Identity of an audit record.
    AuditId;
}

/// A number of 19 digits made from an id, for the places where Azure uses numbers as names
/// (recovery points, `protectedItemDataId`). Always fits a signed 64-bit integer.
pub fn number_of(id: Uuid) -> u64 {
    const LOWEST: u64 = 1_000_000_000_000_000_000;
    const SPAN: u128 = 8_000_000_000_000_000_000;
    let offset = id.as_u128() % SPAN;
    LOWEST + u64::try_from(offset).expect("a remainder below 8e18 fits 64 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_nineteen_digits_and_fit_signed() {
        for id in [Uuid::nil(), Uuid::max(), Uuid::from_u128(7_999_999_999_999_999_999)] {
            let number = number_of(id);
            assert_eq!(number.to_string().len(), 19);
            assert!(i64::try_from(number).is_ok());
        }
    }

    #[test]
    fn ids_print_and_parse() {
        let id = VaultId(Uuid::from_u128(0xfeed));
        assert_eq!(id.to_string().parse::<VaultId>().unwrap(), id);
        assert!("vault".parse::<VaultId>().is_err());
    }
}
