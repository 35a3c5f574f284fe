// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whose descriptors may name an interrupt.

use crate::client::Pasid;
use crate::layout::tables::{ImsControl, MsixPermission};

/// What an entry of the Interrupt Message Store, or an MSI-X permission, says of
/// submitters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Permission {
    nobody: bool,
    pasid: Option<u32>,
}

impl Permission {
    /// Whether descriptors of `submitter` may name it: the PASIDs must be the same,
    /// also in that there is none.
    pub(super) fn admits(self, submitter: Option<Pasid>) -> bool {
        !self.nobody && self.pasid == submitter.map(Pasid::get)
    }
}

impl From<ImsControl> for Permission {
    fn from(control: ImsControl) -> Self {
        Self {
            nobody: control.ignore(),
            pasid: control.pasid_enable().then(|| control.pasid()),
        }
    }
}

impl From<MsixPermission> for Permission {
    fn from(permission: MsixPermission) -> Self {
        Self {
            nobody: permission.ignore(),
            pasid: permission.pasid_enable().then(|| permission.pasid()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_submitter_that_is_named_is_admitted() {
        let seven = ImsControl::new().with_pasid_enable(true).with_pasid(7);
        let open = ImsControl::new().with_pasid(7);
        let ignored = seven.with_ignore(true);
        let table = [
            (seven, Some(7), true),
            (seven, Some(8), false),
            (seven, None, false),
            (open, None, true),
            (open, Some(7), false),
            (ignored, Some(7), false),
            (open.with_ignore(true), None, false),
        ];
        for (control, submitter, admitted) in table {
            let submitter = submitter.and_then(Pasid::new);
            assert_eq!(Permission::from(control).admits(submitter), admitted);
            let permission = MsixPermission::new()
                .with_ignore(control.ignore())
                .with_pasid_enable(control.pasid_enable())
                .with_pasid(control.pasid());
            assert_eq!(Permission::from(permission).admits(submitter), admitted);
        }
    }
}
