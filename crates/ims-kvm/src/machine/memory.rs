// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guest's memory: one file, mapped here and in KVM, and by whoever else has
//! the file.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kvm_bindings::kvm_userspace_memory_region;
use kvm_ioctls::VmFd;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use vm_memory::{
    FileOffset, GuestAddress, GuestMemoryMmap, GuestRegionMmap, MmapRegion, VolatileMemory,
};

use super::MachineError;
use super::error::kvm_error;

/// Memory of a VM, from address 0. Pages come when they are touched.
#[derive(Debug)]
pub(super) struct Memory {
    vm: Arc<VmFd>,
    region: Arc<GuestRegionMmap<()>>,
    all: GuestMemoryMmap<()>,
    file: Arc<File>,
}

impl Memory {
    /// `bytes` of memory for `vm`.
    pub(super) fn new(vm: Arc<VmFd>, bytes: u64) -> Result<Self, MachineError> {
        let memory = |error: io::Error| MachineError::Memory { bytes, error };
        let file = memfd_create("guest memory", MemfdFlags::CLOEXEC)
            .and_then(|file| ftruncate(&file, bytes).map(|()| Arc::new(File::from(file))))
            .map_err(|errno| memory(errno.into()))?;
        let size = usize::try_from(bytes).map_err(|error| memory(io::Error::other(error)))?;
        let mapping = MmapRegion::from_file(FileOffset::from_arc(Arc::clone(&file), 0), size)
            .map_err(|error| memory(io::Error::other(error)))?;
        let host = mapping.as_ptr() as u64;
        let region = GuestRegionMmap::new(mapping, GuestAddress(0))
            .map(Arc::new)
            .ok_or_else(|| memory(io::ErrorKind::InvalidInput.into()))?;
        let all = GuestMemoryMmap::from_arc_regions(vec![Arc::clone(&region)])
            .map_err(|error| memory(io::Error::other(error)))?;
        // SAFETY: `bytes` from `host` on are mapped, and stay so until the region is
        // dropped; our drop takes them from the VM before.
        unsafe { vm.set_user_memory_region(slot(bytes, host)) }
            .map_err(kvm_error("KVM_SET_USER_MEMORY_REGION"))?;
        Ok(Self {
            vm,
            region,
            all,
            file,
        })
    }

    /// As others see it.
    pub(super) fn all(&self) -> &GuestMemoryMmap<()> {
        &self.all
    }

    /// The file it is.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// The field at an address; `None` outside memory, or if it is not aligned.
    pub(super) fn field(&self, address: u64) -> Option<&AtomicU64> {
        let offset = usize::try_from(address).ok()?;
        self.region.get_atomic_ref(offset).ok()
    }

    /// What a field holds, and all that the guest wrote before it; 0 outside memory.
    pub(super) fn load(&self, address: u64) -> u64 {
        self.field(address)
            .map_or(0, |field| field.load(Ordering::SeqCst))
    }

    /// Writes a field, after all that was written before.
    pub(super) fn store(&self, address: u64, value: u64) {
        if let Some(field) = self.field(address) {
            field.store(value, Ordering::SeqCst);
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: no memory is given, only taken away: others may have the VM still,
        // but they do not reach what is unmapped next.
        let taken = unsafe { self.vm.set_user_memory_region(slot(0, 0)) };
        if let Err(error) = taken {
            // KVM refuses this of no slot that it took. If it did, the mapping must
            // outlive the VM.
            tracing::error!(%error, "guest memory could not be taken back; it stays mapped");
            std::mem::forget(Arc::clone(&self.region));
        }
    }
}

/// The only slot of memory.
fn slot(bytes: u64, host: u64) -> kvm_userspace_memory_region {
    kvm_userspace_memory_region {
        slot: 0,
        flags: 0,
        guest_phys_addr: 0,
        memory_size: bytes,
        userspace_addr: host,
    }
}
