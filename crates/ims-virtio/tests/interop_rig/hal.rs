// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Memory for `virtio-drivers`: pages of the test's own, which the device has, and into
//! which buffers are copied.

use std::collections::HashMap;
use std::ptr::NonNull;
use std::sync::{Arc, LazyLock, Mutex};

use virtio_drivers::{BufferDirection, Hal, PhysAddr};
use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryMmap};

/// A page.
const PAGE: u64 = 4096;
/// Where pages begin; what is below is the test's.
pub const PAGES: u64 = 0x20_0000;
/// Bytes of all.
const BYTES: usize = 0x400_0000;

/// The memory of all tests of the process: what is taken from it has no owner.
pub static MEMORY: LazyLock<Arc<GuestMemoryMmap<()>>> = LazyLock::new(|| {
    let ranges = [(GuestAddress(0), BYTES)];
    Arc::new(GuestMemoryMmap::from_ranges(&ranges).unwrap())
});

/// What is free, by its number of pages.
struct Free {
    next: u64,
    returned: HashMap<u64, Vec<u64>>,
}

static FREE: LazyLock<Mutex<Free>> = LazyLock::new(|| {
    Mutex::new(Free {
        next: PAGES,
        returned: HashMap::new(),
    })
});

fn take(pages: u64) -> u64 {
    let mut free = FREE.lock().unwrap();
    let returned = free.returned.get_mut(&pages).and_then(Vec::pop);
    returned.unwrap_or_else(|| {
        let address = free.next;
        free.next += pages * PAGE;
        assert!(free.next <= BYTES as u64, "more pages than there are");
        address
    })
}

fn give(address: u64, pages: u64) {
    let mut free = FREE.lock().unwrap();
    free.returned.entry(pages).or_default().push(address);
}

fn pages(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(PAGE)
}

pub struct Pages;

// SAFETY: `dma_alloc` gives pages of `MEMORY`, which stays for the whole process, page
// aligned, zeroed, and given to nobody else until they are returned; whoever else looks
// at them (the device) does so by volatile accesses. `mmio_phys_to_virt` is for a
// transport that the tests do not use. `share` copies into such pages.
unsafe impl Hal for Pages {
    fn dma_alloc(count: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let address = take(count as u64);
        let zero = vec![0; count * PAGE as usize];
        MEMORY.write_slice(&zero, GuestAddress(address)).unwrap();
        let pointer = MEMORY.get_host_address(GuestAddress(address)).unwrap();
        (address, NonNull::new(pointer).unwrap())
    }

    // SAFETY: nothing of the caller's is relied on; see the trait.
    unsafe fn dma_dealloc(address: PhysAddr, _: NonNull<u8>, count: usize) -> i32 {
        give(address, count as u64);
        0
    }

    // SAFETY: never called; see the trait.
    unsafe fn mmio_phys_to_virt(_: PhysAddr, _: usize) -> NonNull<u8> {
        panic!("registers are behind the transport")
    }

    // SAFETY: the caller promises a valid buffer that nobody else accesses.
    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        let address = take(pages(buffer.len()));
        // SAFETY: as the caller promises.
        let buffer = unsafe { buffer.as_ref() };
        MEMORY.write_slice(buffer, GuestAddress(address)).unwrap();
        address
    }

    // SAFETY: the caller promises the buffer that was shared at `address`.
    unsafe fn unshare(address: PhysAddr, mut buffer: NonNull<[u8]>, to: BufferDirection) {
        if to != BufferDirection::DriverToDevice {
            // SAFETY: as the caller promises.
            let buffer = unsafe { buffer.as_mut() };
            MEMORY.read_slice(buffer, GuestAddress(address)).unwrap();
        }
        give(address, pages(buffer.len()));
    }
}
