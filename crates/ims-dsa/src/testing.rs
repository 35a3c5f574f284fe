// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the tests share: memory with holes, and interrupts that are written
//! down.

use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex};

use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap, VolatileSlice};
use zerocopy::little_endian::{U16, U32, U64};

use crate::layout::{COMPLETION_SIZE, Completion, Descriptor, Flags, Opcode};
use crate::{
    Access, AddressSpace, Client, ErrorLog, Handle, Interrupts, InvalidHandle, Pasid,
    SoftwareError, Unmapped,
};

pub(crate) const PAGE: u64 = 4096;

/// Memory from address 0, in pages of which some are missing or read-only.
#[derive(Debug)]
pub(crate) struct Paged {
    pub(crate) memory: GuestMemoryMmap<()>,
    pub(crate) missing: HashSet<u64>,
    pub(crate) read_only: HashSet<u64>,
    /// Windows end at this granule: a page, or smaller to fragment more.
    pub(crate) granule: u64,
    /// Accesses to this page wait until the gate is open.
    pub(crate) gate: Option<(u64, Arc<Gate>)>,
}

impl Paged {
    pub(crate) fn new(pages: u64) -> Self {
        let size = usize::try_from(pages * PAGE).unwrap();
        Self {
            memory: GuestMemoryMmap::from_ranges(&[(GuestAddress(0), size)]).unwrap(),
            missing: HashSet::new(),
            read_only: HashSet::new(),
            granule: PAGE,
            gate: None,
        }
    }

    pub(crate) fn put(&self, address: u64, bytes: &[u8]) {
        self.memory
            .write_slice(bytes, GuestAddress(address))
            .unwrap();
    }

    pub(crate) fn get(&self, address: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.memory
            .read_slice(&mut bytes, GuestAddress(address))
            .unwrap();
        bytes
    }

    pub(crate) fn record(&self, address: u64) -> Completion {
        let bytes: [u8; COMPLETION_SIZE] = self.get(address, COMPLETION_SIZE).try_into().unwrap();
        Completion::from_bytes(&bytes)
    }
}

impl AddressSpace for Paged {
    fn window(
        &self,
        address: u64,
        length: usize,
        access: Access,
    ) -> Result<VolatileSlice<'_>, Unmapped> {
        let page = address / PAGE;
        if let Some((_, gate)) = self.gate.as_ref().filter(|(gated, _)| *gated == page) {
            gate.pass();
        }
        let denied = access == Access::Write && self.read_only.contains(&page);
        if self.missing.contains(&page) || denied {
            return Err(Unmapped { address });
        }
        let rest = self.granule - address % self.granule;
        self.memory
            .window(address, length.min(usize::try_from(rest).unwrap()), access)
    }
}

/// Holds an engine until it is opened.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// How many came, and whether it is open.
    state: Mutex<(usize, bool)>,
    changed: Condvar,
}

impl Gate {
    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.0 += 1;
        self.changed.notify_all();
        drop(self.changed.wait_while(state, |state| !state.1).unwrap());
    }

    pub(crate) fn wait_for_arrivals(&self, count: usize) {
        let state = self.state.lock().unwrap();
        drop(
            self.changed
                .wait_while(state, |state| state.0 < count)
                .unwrap(),
        );
    }

    pub(crate) fn open(&self) {
        self.state.lock().unwrap().1 = true;
        self.changed.notify_all();
    }
}

/// Writes down interrupts and errors. Handles from 0x8000 up are invalid.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) raised: Mutex<Vec<(u32, Handle, Option<Pasid>)>>,
    pub(crate) errors: Mutex<Vec<SoftwareError>>,
    /// Handles valid at the check and revoked when raised.
    pub(crate) revoked: Mutex<HashSet<u16>>,
    /// Called when an interrupt is raised.
    pub(crate) on_raise: Mutex<Option<Box<dyn FnMut() + Send>>>,
}

impl Interrupts for Recorder {
    type Raiser = ();

    fn raiser(&self) {}

    fn check(&self, handle: Handle, _: Option<Pasid>) -> Result<(), InvalidHandle> {
        if handle.number < 0x8000 {
            Ok(())
        } else {
            Err(InvalidHandle { handle })
        }
    }

    fn raise(
        &self,
        (): &mut (),
        engine: u32,
        handle: Handle,
        pasid: Option<Pasid>,
    ) -> Result<(), InvalidHandle> {
        if self.revoked.lock().unwrap().contains(&handle.number) {
            return Err(InvalidHandle { handle });
        }
        if let Some(call) = &mut *self.on_raise.lock().unwrap() {
            call();
        }
        self.raised.lock().unwrap().push((engine, handle, pasid));
        Ok(())
    }
}

impl ErrorLog for Recorder {
    fn report(&self, error: SoftwareError) {
        self.errors.lock().unwrap().push(error);
    }
}

pub(crate) fn client(pasid: u32, memory: Arc<Paged>) -> Client {
    Client {
        pasid: Pasid::new(pasid),
        memory,
    }
}

/// Record flags, with the record at `completion`.
pub(crate) fn recorded(opcode: Opcode, completion: u64) -> Descriptor {
    let flags = Flags::RECORD_VALID | Flags::REQUEST_RECORD;
    Descriptor {
        completion: U64::new(completion),
        ..Descriptor::new(opcode, flags)
    }
}

/// The same descriptor with `flags` besides those it has.
pub(crate) fn with_flags(mut descriptor: Descriptor, flags: Flags) -> Descriptor {
    descriptor.command = U32::new(descriptor.command.get() | flags.bits());
    descriptor
}

/// The same descriptor, asking for interrupt `handle`.
pub(crate) fn interrupting(descriptor: Descriptor, handle: u16) -> Descriptor {
    let descriptor = with_flags(descriptor, Flags::REQUEST_INTERRUPT);
    Descriptor {
        handle: U16::new(handle),
        ..descriptor
    }
}

pub(crate) fn transfer(
    opcode: Opcode,
    completion: u64,
    source: u64,
    destination: u64,
    size: u32,
) -> Descriptor {
    Descriptor {
        source: U64::new(source),
        destination: U64::new(destination),
        size: U32::new(size),
        ..recorded(opcode, completion)
    }
}
