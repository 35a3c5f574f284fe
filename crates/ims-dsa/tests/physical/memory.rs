// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Memory of a client, one page of which can hold whoever touches it.

use std::sync::{Arc, Condvar, Mutex};

use ims_vfio::dma::{Access, Backing, Map};
use vm_memory::mmap::MmapRegion;
use vm_memory::volatile_memory::{VolatileMemory, VolatileSlice};

pub const PAGE: u64 = 4096;

/// Holds who comes until it is opened.
#[derive(Default)]
pub struct Gate {
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

    pub fn wait_for_arrivals(&self, count: usize) {
        let state = self.state.lock().unwrap();
        drop(
            self.changed
                .wait_while(state, |state| state.0 < count)
                .unwrap(),
        );
    }

    pub fn open(&self) {
        self.state.lock().unwrap().1 = true;
        self.changed.notify_all();
    }
}

pub struct Ram {
    region: MmapRegion<()>,
    gate: Option<(u64, Arc<Gate>)>,
}

impl Ram {
    pub fn new(pages: u64) -> Arc<Self> {
        Arc::new(Self {
            region: MmapRegion::new((pages * PAGE) as usize).unwrap(),
            gate: None,
        })
    }

    /// Whoever touches page `page` meets the gate.
    pub fn gated(pages: u64, page: u64) -> (Arc<Self>, Arc<Gate>) {
        let gate = Arc::<Gate>::default();
        let ram = Self {
            region: MmapRegion::new((pages * PAGE) as usize).unwrap(),
            gate: Some((page, gate.clone())),
        };
        (Arc::new(ram), gate)
    }

    pub fn put(&self, offset: u64, bytes: &[u8]) {
        let slice = self.region.get_slice(offset as usize, bytes.len()).unwrap();
        slice.copy_from(bytes);
    }

    pub fn get(&self, offset: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let slice = self.region.get_slice(offset as usize, length).unwrap();
        slice.copy_to(&mut bytes);
        bytes
    }

    pub fn all(&self) -> Vec<u8> {
        self.get(0, self.region.size())
    }

    pub fn map(self: &Arc<Self>, address: u64) -> Map {
        Map {
            address,
            size: self.region.size() as u64,
            access: Access::READ_WRITE,
            memory: Some((self.clone(), 0)),
        }
    }
}

impl Backing for Ram {
    fn slice(&self, offset: u64, length: usize) -> Option<VolatileSlice<'_>> {
        if let Some((_, gate)) = self
            .gate
            .as_ref()
            .filter(|(page, _)| offset / PAGE == *page)
        {
            gate.pass();
        }
        self.region
            .get_slice(usize::try_from(offset).ok()?, length)
            .ok()
    }

    fn lost(&self) -> bool {
        false
    }
}
