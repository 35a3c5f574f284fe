// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The reasons for which interrupt remapping blocks a request.

/// Why the remap unit blocked a request (VT-d 5.1.4.1 fault reasons).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
#[repr(u8)]
pub enum FaultReason {
    /// Reserved bits of a remappable request are set.
    #[error("20h: reserved bits are set in the request; check the slot's address and data")]
    RequestReserved = 0x20,
    /// The index lies beyond the table.
    #[error("21h: the index lies beyond the table; check handle and subhandle in the slot")]
    IndexBeyondTable = 0x21,
    /// The entry is not present.
    #[error("22h: the entry is not present; bind it before the device may raise")]
    NotPresent = 0x22,
    /// The entry could not be read.
    #[error("23h: the entry could not be read; the table is smaller than the unit was told")]
    EntryAccess = 0x23,
    /// Reserved bits, or reserved values of a field, in a present entry.
    #[error("24h: reserved bits are set in the entry; write it with the control half only")]
    EntryReserved = 0x24,
    /// A compatibility format request, while these are blocked.
    #[error("25h: compatibility format is blocked; give the slot a remappable message")]
    CompatibilityBlocked = 0x25,
    /// The sender is not the one the entry belongs to.
    #[error("26h: the requester does not own the entry")]
    SourceId = 0x26,
    /// The posted descriptor could not be reached.
    #[error("27h: no posted descriptor at the entry's address")]
    DescriptorAccess = 0x27,
    /// Reserved bits in the posted descriptor.
    #[error("28h: reserved bits are set in the posted descriptor")]
    DescriptorReserved = 0x28,
    /// The request is no interrupt request at all.
    #[error("29h: malformed request; an interrupt message goes to FEEx_xxxxh")]
    MalformedRequest = 0x29,
    /// The platform demands extended interrupt mode, and it is off.
    #[error("2Ah: extended interrupt mode is required but not enabled")]
    ExtendedModeRequired = 0x2A,
    /// The platform demands interrupt remapping, and it is off.
    #[error("2Bh: interrupt remapping is required but not enabled")]
    RemappingRequired = 0x2B,
}

/// How many reasons there are.
pub(super) const REASONS: usize = 12;

impl FaultReason {
    /// Every reason, by ascending code.
    pub const ALL: [Self; REASONS] = [
        Self::RequestReserved,
        Self::IndexBeyondTable,
        Self::NotPresent,
        Self::EntryAccess,
        Self::EntryReserved,
        Self::CompatibilityBlocked,
        Self::SourceId,
        Self::DescriptorAccess,
        Self::DescriptorReserved,
        Self::MalformedRequest,
        Self::ExtendedModeRequired,
        Self::RemappingRequired,
    ];

    /// The code in a fault record (VT-d 5.1.4.1).
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The reason with this code, if it is one of interrupt remapping.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL
            .get(usize::from(code.checked_sub(Self::RequestReserved.code())?))
            .copied()
    }

    /// Whether an entry's FPD bit keeps such faults from being recorded.
    ///
    /// They are counted all the same.
    pub const fn is_qualified(self) -> bool {
        matches!(
            self,
            Self::NotPresent
                | Self::EntryReserved
                | Self::SourceId
                | Self::DescriptorAccess
                | Self::DescriptorReserved
        )
    }

    /// Where this reason stands in [`FaultReason::ALL`].
    pub(super) const fn position(self) -> usize {
        (self.code() - Self::RequestReserved.code()) as usize
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn codes_run_from_20h_to_2bh_and_lead_back() {
        for (reason, code) in FaultReason::ALL.into_iter().zip(0x20..) {
            assert_eq!(reason.code(), code);
            assert_eq!(FaultReason::from_code(code), Some(reason));
            assert_eq!(FaultReason::ALL[reason.position()], reason);
        }
        assert_eq!(FaultReason::from_code(0x1f), None);
        assert_eq!(FaultReason::from_code(0x2c), None);
    }

    #[test]
    fn fpd_governs_22h_24h_26h_27h_28h_and_no_other() {
        let qualified: Vec<u8> = FaultReason::ALL
            .into_iter()
            .filter(|reason| reason.is_qualified())
            .map(FaultReason::code)
            .collect();
        assert_eq!(qualified, [0x22, 0x24, 0x26, 0x27, 0x28]);
    }
}
