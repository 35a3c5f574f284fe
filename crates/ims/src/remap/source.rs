// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Source validation: whose requests an entry takes (VT-d 9.9, SVT, SQ, SID).

use super::layout::{SVT_ANY, SVT_BUS_RANGE, SVT_REQUESTER};
use crate::message::RequesterId;

/// Whose requests an entry takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// Anybody's. Only for entries whose requester cannot be known.
    Any,
    /// One requester's, or a few functions' of one device.
    Requester {
        /// The requester.
        id: RequesterId,
        /// Which of its bits count.
        qualifier: Qualifier,
    },
    /// Everybody's on a range of buses, both ends included.
    BusRange {
        /// The first bus.
        start: u8,
        /// The last bus.
        end: u8,
    },
}

/// Which bits of a requester id are compared (SQ).
///
/// Bits 2:0 are the function number; ignoring some of them admits the phantom
/// functions of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Qualifier {
    /// All sixteen.
    #[default]
    Exact = 0,
    /// All but bit 2.
    IgnoreBit2 = 1,
    /// All but bits 2:1.
    IgnoreBits2To1 = 2,
    /// All but bits 2:0.
    IgnoreBits2To0 = 3,
}

impl Qualifier {
    /// The bits that are compared.
    const fn mask(self) -> u16 {
        match self {
            Self::Exact => 0xffff,
            Self::IgnoreBit2 => !0b100,
            Self::IgnoreBits2To1 => !0b110,
            Self::IgnoreBits2To0 => !0b111,
        }
    }

    /// From the two bits of SQ; higher bits are ignored.
    const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::Exact,
            1 => Self::IgnoreBit2,
            2 => Self::IgnoreBits2To1,
            _ => Self::IgnoreBits2To0,
        }
    }
}

/// SVT, SQ and SID as they stand in an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SourceFields {
    pub(super) validation: u8,
    pub(super) qualifier: u8,
    pub(super) source_id: u16,
}

impl Source {
    /// Exactly this requester.
    pub const fn exactly(id: RequesterId) -> Self {
        Self::Requester {
            id,
            qualifier: Qualifier::Exact,
        }
    }

    /// Whether a request of `requester` is taken.
    #[inline]
    pub fn admits(self, requester: RequesterId) -> bool {
        match self {
            Self::Any => true,
            Self::Requester { id, qualifier } => (id.0 ^ requester.0) & qualifier.mask() == 0,
            Self::BusRange { start, end } => {
                let [bus, _] = requester.0.to_be_bytes();
                (start..=end).contains(&bus)
            }
        }
    }

    pub(super) const fn to_fields(self) -> SourceFields {
        match self {
            Self::Any => SourceFields {
                validation: SVT_ANY,
                qualifier: 0,
                source_id: 0,
            },
            Self::Requester { id, qualifier } => SourceFields {
                validation: SVT_REQUESTER,
                qualifier: qualifier as u8,
                source_id: id.0,
            },
            Self::BusRange { start, end } => SourceFields {
                validation: SVT_BUS_RANGE,
                qualifier: 0,
                source_id: u16::from_be_bytes([start, end]),
            },
        }
    }

    /// `None` for the reserved value of SVT. Fields that SVT leaves unused are
    /// ignored.
    #[inline]
    pub(super) const fn from_fields(fields: SourceFields) -> Option<Self> {
        match fields.validation {
            SVT_ANY => Some(Self::Any),
            SVT_REQUESTER => Some(Self::Requester {
                id: RequesterId(fields.source_id),
                qualifier: Qualifier::from_bits(fields.qualifier),
            }),
            SVT_BUS_RANGE => {
                let [start, end] = fields.source_id.to_be_bytes();
                Some(Self::BusRange { start, end })
            }
            _ => None,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn an_exact_requester_admits_nobody_else() {
        let source = Source::exactly(RequesterId(0x1a2b));
        for other in 0..=u16::MAX {
            assert_eq!(source.admits(RequesterId(other)), other == 0x1a2b);
        }
    }

    #[test]
    fn qualifiers_ignore_function_bits_and_nothing_more() {
        let admitted = |qualifier| {
            let source = Source::Requester {
                id: RequesterId(0x1a28),
                qualifier,
            };
            (0..=u16::MAX)
                .filter(|id| source.admits(RequesterId(*id)))
                .collect::<Vec<_>>()
        };
        assert_eq!(admitted(Qualifier::IgnoreBit2), [0x1a28, 0x1a2c]);
        assert_eq!(
            admitted(Qualifier::IgnoreBits2To1),
            [0x1a28, 0x1a2a, 0x1a2c, 0x1a2e]
        );
        assert!(
            admitted(Qualifier::IgnoreBits2To0)
                .into_iter()
                .eq(0x1a28..0x1a30)
        );
    }

    #[test]
    fn a_bus_range_includes_both_ends_and_a_reversed_one_is_empty() {
        let source = Source::BusRange {
            start: 0x10,
            end: 0x12,
        };
        for bus in 0..=u8::MAX {
            let requester = RequesterId(u16::from_be_bytes([bus, 0x5a]));
            assert_eq!(source.admits(requester), (0x10..=0x12).contains(&bus));
            assert!(
                !Source::BusRange {
                    start: 0x12,
                    end: 0x10
                }
                .admits(requester)
            );
        }
    }

    #[test]
    fn a_bus_range_keeps_its_start_in_the_high_byte() {
        let fields = Source::BusRange {
            start: 0x10,
            end: 0x12,
        }
        .to_fields();
        assert_eq!(fields.source_id, 0x1012);
        assert_eq!(fields.validation, 2);
    }
}
