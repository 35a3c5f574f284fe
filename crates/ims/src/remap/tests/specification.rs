// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The algorithm of VT-d 5.1.4 in the plainest words, with bit numbers as the
//! specification prints them and nothing shared with the code under test.

/// Bits `high` down to `low`.
pub(super) fn bits(value: u128, high: u32, low: u32) -> u128 {
    (0..=high - low)
        .map(|bit| (value >> (low + bit) & 1) << bit)
        .sum()
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Cpu {
        id: u128,
        logical: bool,
        hint: bool,
        vector: u128,
        mode: u128,
    },
    Post {
        address: u128,
        vector: u128,
        urgent: bool,
    },
    Fault {
        reason: u8,
        index: u128,
        recorded: bool,
    },
    Malformed,
    Mode,
}

/// A unit's registers and its table.
pub(super) struct Specification<'a> {
    pub(super) ire: bool,
    pub(super) eime: bool,
    pub(super) cfis: bool,
    pub(super) ire_required: bool,
    pub(super) eime_required: bool,
    pub(super) entries: usize,
    pub(super) table: &'a [u128],
    pub(super) descriptors: u128,
}

impl Specification<'_> {
    pub(super) fn translate(&self, requester: u16, address: u64, data: u32) -> Outcome {
        let fault = |reason, index| Outcome::Fault {
            reason,
            index,
            recorded: true,
        };
        let (address, data) = (u128::from(address), u128::from(data));
        let interrupt = bits(address, 63, 32) == 0 && bits(address, 31, 20) == 0xfee;
        let remappable = bits(address, 4, 4) == 1;
        if !self.ire {
            return match (self.ire_required, interrupt && !remappable) {
                (true, _) => fault(0x2b, 0),
                (false, true) => Self::compatibility(address, data),
                (false, false) => Outcome::Malformed,
            };
        }
        if self.eime_required && !self.eime {
            return fault(0x2a, 0);
        }
        if !interrupt {
            return fault(0x29, 0);
        }
        if !remappable {
            return match self.eime || !self.cfis {
                true => fault(0x25, 0),
                false => Self::compatibility(address, data),
            };
        }
        let shv = bits(address, 3, 3) == 1;
        if shv && bits(data, 31, 16) != 0 {
            return fault(0x20, 0);
        }
        let handle = bits(address, 19, 5) + bits(address, 2, 2) * 0x8000;
        let index = if shv {
            handle + bits(data, 15, 0)
        } else {
            handle
        };
        if index >= self.entries as u128 {
            return fault(0x21, index % 0x1_0000);
        }
        let Some(&entry) = self.table.get(index as usize) else {
            return fault(0x23, index);
        };
        self.entry(requester, index, entry)
    }

    fn entry(&self, requester: u16, index: u128, entry: u128) -> Outcome {
        let recorded = bits(entry, 1, 1) == 0;
        let fault = |reason| Outcome::Fault {
            reason,
            index,
            recorded,
        };
        if bits(entry, 0, 0) == 0 {
            return fault(0x22);
        }
        let requester = u128::from(requester);
        let sid = bits(entry, 79, 64);
        let same = |high, low| bits(requester, high, low) == bits(sid, high, low);
        let bus = bits(requester, 15, 8);
        let owner = match (bits(entry, 83, 82), bits(entry, 81, 80)) {
            (0, _) => true,
            (1, 0) => same(15, 0),
            (1, 1) => same(15, 3) && same(1, 0),
            (1, 2) => same(15, 3) && same(0, 0),
            (1, _) => same(15, 3),
            (2, _) => bits(sid, 15, 8) <= bus && bus <= bits(sid, 7, 0),
            _ => return fault(0x24),
        };
        if !owner {
            return fault(0x26);
        }
        let zero = |ranges: &[(u32, u32)]| ranges.iter().all(|r| bits(entry, r.0, r.1) == 0);
        if bits(entry, 15, 15) == 1 {
            if !zero(&[(7, 2), (13, 12), (37, 24), (95, 84)]) {
                return fault(0x24);
            }
            let address = bits(entry, 127, 96) << 32 | bits(entry, 63, 38) << 6;
            if address / 64 >= self.descriptors {
                return fault(0x27);
            }
            let urgent = bits(entry, 14, 14) == 1;
            return Outcome::Post {
                address,
                vector: bits(entry, 23, 16),
                urgent,
            };
        }
        let wide = self.eime || zero(&[(39, 32), (63, 48)]);
        let mode = bits(entry, 7, 5);
        if !wide || !zero(&[(14, 12), (31, 24), (127, 84)]) || mode == 3 || mode == 6 {
            return fault(0x24);
        }
        Outcome::Cpu {
            id: if self.eime {
                bits(entry, 63, 32)
            } else {
                bits(entry, 47, 40)
            },
            logical: bits(entry, 2, 2) == 1,
            hint: bits(entry, 3, 3) == 1,
            vector: bits(entry, 23, 16),
            mode,
        }
    }

    fn compatibility(address: u128, data: u128) -> Outcome {
        let mode = bits(data, 10, 8);
        let level_deasserted = bits(data, 15, 14) == 2;
        if bits(data, 31, 16) != 0 || bits(data, 13, 11) != 0 {
            return Outcome::Malformed;
        }
        if mode == 3 || mode == 6 || level_deasserted {
            return Outcome::Mode;
        }
        Outcome::Cpu {
            id: bits(address, 11, 5) << 8 | bits(address, 19, 12),
            logical: bits(address, 2, 2) == 1,
            hint: bits(address, 3, 3) == 1,
            vector: bits(data, 7, 0),
            mode,
        }
    }
}
