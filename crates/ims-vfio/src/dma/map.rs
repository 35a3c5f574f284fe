// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Maps: which addresses a device may use, and where their bytes are.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use vm_memory::volatile_memory::VolatileSlice;

use super::error::{DmaError, MapError};
use super::gate::Gate;

/// What may be done with a map, or is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// The device may read.
    pub read: bool,
    /// The device may write.
    pub write: bool,
}

impl Access {
    /// Reading alone.
    pub const READ: Self = Self {
        read: true,
        write: false,
    };
    /// Writing alone.
    pub const WRITE: Self = Self {
        read: false,
        write: true,
    };
    /// Both.
    pub const READ_WRITE: Self = Self {
        read: true,
        write: true,
    };

    /// Whether everything `wanted` is among this.
    pub fn allows(self, wanted: Self) -> bool {
        (self.read || !wanted.read) && (self.write || !wanted.write)
    }
}

/// Memory behind maps: a mapped file, a VMM's own memory.
pub trait Backing: Send + Sync {
    /// `length` bytes at `offset`, `None` if they are not all there. What was there
    /// once stays there.
    fn slice(&self, offset: u64, length: usize) -> Option<VolatileSlice<'_>>;

    /// Whether the memory has been lost (a client truncated its file): what was
    /// read since is not to be trusted.
    fn lost(&self) -> bool {
        false
    }
}

/// A range of addresses a device may use.
#[derive(Clone)]
pub struct Map {
    /// Where the range begins.
    pub address: u64,
    /// Its length in bytes, not 0.
    pub size: u64,
    /// What the device may do.
    pub access: Access,
    /// Where its bytes are; `None` if only the client has them.
    pub memory: Option<(Arc<dyn Backing>, u64)>,
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map")
            .field("address", &self.address)
            .field("size", &self.size)
            .field("access", &self.access)
            .field("by_message", &self.memory.is_none())
            .finish()
    }
}

/// A map as it is kept.
pub(crate) struct Entry {
    pub(crate) first: u64,
    pub(crate) last: u64,
    access: Access,
    memory: Option<(Arc<dyn Backing>, u64)>,
    pub(crate) gate: Gate,
}

impl Entry {
    /// Checks what can be checked without the other maps.
    pub(crate) fn new(map: Map) -> Result<Self, MapError> {
        let above = map.size.checked_sub(1).ok_or(MapError::Range)?;
        let last = map.address.checked_add(above).ok_or(MapError::Range)?;
        if let Some((backing, offset)) = &map.memory {
            let size = usize::try_from(map.size).map_err(|_| MapError::Memory)?;
            if backing.slice(*offset, size).is_none() {
                return Err(MapError::Memory);
            }
        }
        Ok(Self {
            first: map.address,
            last,
            access: map.access,
            memory: map.memory,
            gate: Gate::new(),
        })
    }

    pub(crate) fn holds(&self, address: u64) -> bool {
        (self.first..=self.last).contains(&address)
    }

    pub(crate) fn by_message(&self) -> bool {
        self.memory.is_none()
    }

    /// How many of `length` bytes at `address` are in this map.
    pub(crate) fn run(&self, address: u64, length: usize) -> usize {
        let above = self.last.saturating_sub(address);
        usize::try_from(above)
            .ok()
            .and_then(|above| above.checked_add(1))
            .map_or(length, |run| run.min(length))
    }

    pub(crate) fn check(&self, address: u64, wanted: Access) -> Result<(), DmaError> {
        if self.access.allows(wanted) {
            Ok(())
        } else {
            Err(DmaError::Denied { address })
        }
    }

    /// The bytes; `address` and `length` lie within. Only for who is in the gate.
    pub(crate) fn slice(&self, address: u64, length: usize) -> Result<VolatileSlice<'_>, DmaError> {
        let (backing, offset) = self.memory.as_ref().ok_or(DmaError::NoMemory { address })?;
        address
            .checked_sub(self.first)
            .and_then(|inside| offset.checked_add(inside))
            .and_then(|offset| backing.slice(offset, length))
            .ok_or(DmaError::Lost { address })
    }

    /// Says so if the bytes just touched were not there any more.
    pub(crate) fn check_lost(&self, address: u64) -> Result<(), DmaError> {
        match &self.memory {
            Some((backing, _)) if backing.lost() => Err(DmaError::Lost { address }),
            _ => Ok(()),
        }
    }
}

/// All maps, by their first address. No two overlap.
#[derive(Default)]
pub(crate) struct Maps(BTreeMap<u64, Arc<Entry>>);

impl Maps {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn insert(&mut self, entry: Entry) -> Result<(), MapError> {
        let below = self.0.range(..=entry.last).next_back();
        if below.is_some_and(|(_, below)| below.last >= entry.first) {
            return Err(MapError::Overlap);
        }
        self.0.insert(entry.first, Arc::new(entry));
        Ok(())
    }

    pub(crate) fn remove(&mut self, address: u64, size: u64) -> Result<Arc<Entry>, MapError> {
        let above = size.checked_sub(1).ok_or(MapError::Range)?;
        let last = address.checked_add(above).ok_or(MapError::Range)?;
        match self.0.entry(address) {
            std::collections::btree_map::Entry::Occupied(there) if there.get().last == last => {
                Ok(there.remove())
            }
            _ => Err(MapError::NoSuchMap),
        }
    }

    pub(crate) fn find(&self, address: u64) -> Option<&Arc<Entry>> {
        let (_, entry) = self.0.range(..=address).next_back()?;
        entry.holds(address).then_some(entry)
    }
}
