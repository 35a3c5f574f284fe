// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest's hands: its memory, and its accesses to the BAR.

use std::sync::Arc;

use ims::message::{Addressing, DeliveryMode, Destination, Remappable, RequesterId};
use ims::remap::{ApicMode, Entry, Source, Target};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

use crate::guest_ims::layout::{self, REMAP, SLOTS, STORE};
use crate::guest_ims::{GuestIms, GuestRemap, RemapOptions};
use crate::kvm_message::Composer;
use crate::signal::Signal;
use crate::vcpus::Vcpus;
use crate::vm::recorder::Recorder;

/// Where the table is.
pub(super) const TABLE: u64 = 0x4000;
/// S for 256 entries.
pub(super) const SIZE: u64 = 7;
pub(super) const ALICE: RequesterId = RequesterId(0x0100);
pub(super) const BOB: RequesterId = RequesterId(0x0101);

pub(super) struct Bench {
    pub(super) vm: Arc<Recorder>,
    pub(super) memory: Arc<GuestMemoryMmap>,
    pub(super) remap: GuestRemap<Recorder>,
}

pub(super) type Ims = GuestIms<Recorder>;

impl Bench {
    /// A unit in reset state; 64 KiB of guest memory.
    pub(super) fn new(options: RemapOptions) -> Self {
        let vm = Arc::<Recorder>::default();
        let range = (GuestAddress(0), 0x1_0000);
        let memory = Arc::new(GuestMemoryMmap::from_ranges(&[range]).unwrap());
        let composer = Composer {
            addressing: Addressing::X2apic,
            device_ids: false,
        };
        let vcpus = Vcpus::new(Signal::new(Arc::clone(&vm), composer));
        let remap = GuestRemap::new(Arc::clone(&memory), vcpus, options);
        Self { vm, memory, remap }
    }

    /// One whose guest has enabled its unit, over a table without entries.
    pub(super) fn enabled() -> Self {
        let bench = Self::new(RemapOptions::default());
        bench.enable();
        bench
    }

    pub(super) fn enable(&self) {
        let table = TABLE | layout::remap::TABLE_EXTENDED | SIZE;
        self.write(layout::remap::TABLE, table);
        self.write(layout::remap::CONTROL, layout::ENABLE);
    }

    /// A device whose guest has enabled its store.
    pub(super) fn device(&self, requester: RequesterId, slots: u32) -> Ims {
        let ims = self.remap.store(requester, slots).unwrap();
        ims.write(STORE + 0x18, &1u32.to_le_bytes());
        ims
    }

    /// Writes a register of the unit.
    pub(super) fn write(&self, register: u64, value: u64) {
        self.remap.write(register * 8, &value.to_le_bytes());
    }

    /// Reads one.
    pub(super) fn read(&self, register: u64) -> u64 {
        let mut bytes = [0; 8];
        self.remap.read(register * 8, &mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// The guest writes an entry as the law says: upper half first, then the lower.
    pub(super) fn grant(&self, entry: u64, to: RequesterId, cpu: u32, vector: u8) {
        let [low, high] = halves(to, cpu, vector);
        self.store(TABLE + entry * 16 + 8, high);
        self.store(TABLE + entry * 16, low);
    }

    pub(super) fn store(&self, at: u64, word: u64) {
        use std::sync::atomic::Ordering::Release;
        self.memory.store(word, GuestAddress(at), Release).unwrap();
    }

    /// The oldest fault's reason, requester and index, as the guest reads them; it
    /// takes it then.
    pub(super) fn fault(&self) -> Option<(u8, u16, u16)> {
        use layout::remap::{FAULT, FAULT_HIGH, FAULT_LOW, FAULT_STATUS, PENDING};
        let pending = self.read(FAULT_STATUS) & PENDING != 0;
        let (low, high) = (self.read(FAULT_LOW), self.read(FAULT_HIGH));
        assert_eq!(high & FAULT != 0, pending);
        self.write(FAULT_HIGH, FAULT);
        let reason = (high >> 32) as u8;
        pending.then_some((reason, high as u16, (low >> 48) as u16))
    }
}

/// The two words of an entry.
pub(super) fn halves(to: RequesterId, cpu: u32, vector: u8) -> [u64; 2] {
    let entry = Entry {
        source: Source::exactly(to),
        fpd: false,
        target: Target::Remapped {
            destination: Destination {
                id: cpu,
                logical: false,
                redirection_hint: false,
            },
            vector,
            delivery: DeliveryMode::Fixed,
            trigger_level: false,
        },
    };
    let bits = entry.encode(ApicMode::X2apic).unwrap().0;
    [bits as u64, (bits >> 64) as u64]
}

/// The guest gives a slot the message that names an entry, unmasked.
pub(super) fn program(ims: &Ims, slot: u64, entry: u16) {
    let message = Remappable {
        handle: entry,
        subhandle: None,
    }
    .encode();
    let at = SLOTS + slot * 16;
    ims.write(at, &message.address.to_le_bytes());
    ims.write(at + 8, &message.data.to_le_bytes());
    mask(ims, slot, false);
}

pub(super) fn mask(ims: &Ims, slot: u64, masked: bool) {
    ims.write(SLOTS + slot * 16 + 12, &u32::from(masked).to_le_bytes());
}

/// The guest reads a 32-bit part of the BAR.
pub(super) fn read32(ims: &Ims, offset: u64) -> u32 {
    let mut bytes = [0xaa; 4];
    ims.read(offset, &mut bytes);
    u32::from_le_bytes(bytes)
}

/// The guest writes sync in the device's part of the unit's registers.
pub(super) fn sync(ims: &Ims) {
    ims.write(REMAP + layout::remap::SYNC * 8, &1u32.to_le_bytes());
}
