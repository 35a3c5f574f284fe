// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An entry as software thinks of it, and as it stands in the table.

use super::layout::{
    DESCRIPTOR_ALIGNMENT_BITS, FAULT_PROCESSING_DISABLED, POSTED, POSTED_RESERVED, PRESENT,
    PostedIrte, REMAPPED_RESERVED, RemappedIrte, SOURCE, XAPIC_DESTINATION_SHIFT, XAPIC_RESERVED,
};
use super::source::{Source, SourceFields};
use crate::message::{DeliveryMode, Destination};

/// How an entry lays out a destination (EIME).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ApicMode {
    /// Eight bits of APIC id, in DST 15:8.
    Xapic,
    /// Thirty-two bits of APIC id.
    X2apic,
}

/// A present entry: whom it belongs to and where it leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Whose requests it takes.
    pub source: Source,
    /// FPD: qualified faults are counted, not recorded.
    pub fpd: bool,
    /// Where they go.
    pub target: Target,
}

/// Where an entry leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// To a CPU (VT-d 9.9).
    Remapped {
        /// The CPU or CPUs. In xAPIC mode the id has eight bits.
        destination: Destination,
        /// The vector there.
        vector: u8,
        /// How the CPU is to take it.
        delivery: DeliveryMode,
        /// Level rather than edge. CPU sinks take edges: the bit matters to
        /// hardware that reads the table.
        trigger_level: bool,
    },
    /// Into a posted descriptor (VT-d 9.10).
    Posted {
        /// The descriptor's address, a multiple of 64.
        descriptor: u64,
        /// The vector to make pending.
        vector: u8,
        /// Notify even while notifications are suppressed.
        urgent: bool,
    },
}

/// Why an entry cannot be written or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// A present entry has reserved bits set, or a reserved value in a field.
    #[error("reserved bits are set in the entry; write it anew")]
    Reserved,
    /// The descriptor's address is no multiple of 64.
    #[error("descriptor address {address:#x} is not a multiple of 64; align the descriptor")]
    Unaligned {
        /// The address.
        address: u64,
    },
    /// The destination does not fit xAPIC mode.
    #[error("APIC id {id:#x} needs more than 8 bits; enable extended interrupt mode")]
    DestinationTooWide {
        /// The APIC id.
        id: u32,
    },
    /// The bus range ends before it starts.
    #[error("bus range {start:#04x}..={end:#04x} holds no bus; give the lower bus first")]
    EmptyBusRange {
        /// The first bus.
        start: u8,
        /// The last bus.
        end: u8,
    },
}

/// An entry as it stands in the table: 128 bits, perhaps not present, perhaps
/// never written by this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Irte(pub u128);

impl Irte {
    /// P.
    #[inline]
    pub const fn is_present(self) -> bool {
        self.0 & PRESENT != 0
    }

    /// FPD; it counts in an entry that is not present, too.
    #[inline]
    pub const fn fault_processing_disabled(self) -> bool {
        self.0 & FAULT_PROCESSING_DISABLED != 0
    }

    /// Whose requests it takes.
    ///
    /// # Errors
    /// [`EntryError::Reserved`] if SVT has its reserved value.
    #[inline(always)]
    pub fn source(self) -> Result<Source, EntryError> {
        // SID, SQ and SVT have their places in common: either form will do.
        let fields = RemappedIrte::from_bits(self.0);
        Source::from_fields(SourceFields {
            validation: fields.validation(),
            qualifier: fields.qualifier(),
            source_id: fields.source_id(),
        })
        .ok_or(EntryError::Reserved)
    }

    /// Where it leads.
    ///
    /// # Errors
    /// [`EntryError::Reserved`] for reserved bits in this form, and for a
    /// reserved delivery mode.
    #[inline(always)]
    pub fn target(self, mode: ApicMode) -> Result<Target, EntryError> {
        if self.0 & POSTED != 0 {
            self.posted()
        } else {
            self.remapped(mode)
        }
    }

    /// The whole entry, or `None` if it is not present.
    ///
    /// # Errors
    /// [`EntryError::Reserved`] as for [`Irte::source`] and [`Irte::target`].
    pub fn decode(self, mode: ApicMode) -> Result<Option<Entry>, EntryError> {
        if !self.is_present() {
            return Ok(None);
        }
        let (source, target) = (self.source()?, self.target(mode)?);
        Ok(Some(Entry {
            source,
            fpd: self.fault_processing_disabled(),
            target,
        }))
    }

    /// The same entry leading elsewhere: source and FPD stay.
    pub(super) fn retargeted(self, target: Target, mode: ApicMode) -> Result<Self, EntryError> {
        let kept = self.0 & (PRESENT | FAULT_PROCESSING_DISABLED | SOURCE);
        Ok(Self(kept | target.encode(mode)?))
    }

    /// The same entry, not present: only FPD stays.
    pub(super) const fn cleared(self) -> Self {
        Self(self.0 & FAULT_PROCESSING_DISABLED)
    }

    pub(super) const fn with_fault_processing_disabled(self, disabled: bool) -> Self {
        let rest = self.0 & !FAULT_PROCESSING_DISABLED;
        Self(if disabled {
            rest | FAULT_PROCESSING_DISABLED
        } else {
            rest
        })
    }

    #[inline(always)]
    fn posted(self) -> Result<Target, EntryError> {
        if self.0 & POSTED_RESERVED != 0 {
            return Err(EntryError::Reserved);
        }
        let fields = PostedIrte::from_bits(self.0);
        let low = u64::from(fields.address_low()) << DESCRIPTOR_ALIGNMENT_BITS;
        Ok(Target::Posted {
            descriptor: u64::from(fields.address_high()) << 32 | low,
            vector: fields.vector(),
            urgent: fields.urgent(),
        })
    }

    #[inline(always)]
    fn remapped(self, mode: ApicMode) -> Result<Target, EntryError> {
        let fields = RemappedIrte::from_bits(self.0);
        let (reserved, id) = match mode {
            ApicMode::X2apic => (REMAPPED_RESERVED, fields.destination()),
            ApicMode::Xapic => (
                REMAPPED_RESERVED | XAPIC_RESERVED,
                fields.destination() >> XAPIC_DESTINATION_SHIFT,
            ),
        };
        if self.0 & reserved != 0 {
            return Err(EntryError::Reserved);
        }
        Ok(Target::Remapped {
            destination: Destination {
                id,
                logical: fields.logical(),
                redirection_hint: fields.redirection_hint(),
            },
            vector: fields.vector(),
            delivery: DeliveryMode::from_bits(fields.delivery()).ok_or(EntryError::Reserved)?,
            trigger_level: fields.level(),
        })
    }
}

impl Entry {
    /// The bits of this entry, present.
    ///
    /// # Errors
    /// What does not fit: see [`EntryError`].
    pub fn encode(self, mode: ApicMode) -> Result<Irte, EntryError> {
        if let Source::BusRange { start, end } = self.source
            && start > end
        {
            return Err(EntryError::EmptyBusRange { start, end });
        }
        let source = self.source.to_fields();
        let common = RemappedIrte::new()
            .with_present(true)
            .with_fault_processing_disabled(self.fpd)
            .with_source_id(source.source_id)
            .with_qualifier(source.qualifier)
            .with_validation(source.validation);
        Ok(Irte(common.into_bits() | self.target.encode(mode)?))
    }
}

impl Target {
    /// The bits of the target alone.
    fn encode(self, mode: ApicMode) -> Result<u128, EntryError> {
        match self {
            Self::Remapped {
                destination,
                vector,
                delivery,
                trigger_level,
            } => {
                let id = destination.id;
                let dst = match mode {
                    ApicMode::X2apic => id,
                    ApicMode::Xapic if id <= 0xff => id << XAPIC_DESTINATION_SHIFT,
                    ApicMode::Xapic => return Err(EntryError::DestinationTooWide { id }),
                };
                Ok(RemappedIrte::new()
                    .with_logical(destination.logical)
                    .with_redirection_hint(destination.redirection_hint)
                    .with_level(trigger_level)
                    .with_delivery(delivery as u8)
                    .with_vector(vector)
                    .with_destination(dst)
                    .into_bits())
            }
            Self::Posted {
                descriptor,
                vector,
                urgent,
            } => {
                if descriptor.trailing_zeros() < DESCRIPTOR_ALIGNMENT_BITS {
                    return Err(EntryError::Unaligned {
                        address: descriptor,
                    });
                }
                let low = (descriptor & 0xffff_ffff) as u32;
                let high = (descriptor >> 32) as u32;
                Ok(PostedIrte::new()
                    .with_posted(true)
                    .with_urgent(urgent)
                    .with_vector(vector)
                    .with_address_low(low >> DESCRIPTOR_ALIGNMENT_BITS)
                    .with_address_high(high)
                    .into_bits())
            }
        }
    }
}
