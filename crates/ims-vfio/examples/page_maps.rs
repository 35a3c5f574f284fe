// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a map costs when a VMM maps 1 GiB page by page, as QEMU does for a guest
//! whose DMA is translated: `cargo run --release -p ims-vfio --example page_maps`.

use std::sync::Arc;
use std::time::Instant;

use ims_vfio::Hold;
use ims_vfio::dma::{Access, Backing, Dma, Map};
use peak_alloc::PeakAlloc;
use vm_memory::mmap::MmapRegion;
use vm_memory::volatile_memory::{VolatileMemory, VolatileSlice};

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

const PAGE: u64 = 4096;
const PAGES: u64 = 262_144;
const LOOKUPS: u64 = 2_000_000;

/// One page under every map: the maps are measured, and no memory.
struct OnePage(MmapRegion<()>);

impl Backing for OnePage {
    fn slice(&self, offset: u64, length: usize) -> Option<VolatileSlice<'_>> {
        let offset = usize::try_from(offset % PAGE).ok()?;
        self.0.get_slice(offset, length).ok()
    }
}

/// The pages in an order without one: each once.
fn shuffled() -> impl Iterator<Item = u64> {
    (0..PAGES).map(|at| at.wrapping_mul(0x9e37_79b1) % PAGES * PAGE)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let page: Arc<dyn Backing> = Arc::new(OnePage(MmapRegion::new(usize::try_from(PAGE)?)?));
    for (order, addresses) in [
        (
            "in order",
            (0..PAGES).map(|at| at * PAGE).collect::<Vec<_>>(),
        ),
        ("shuffled", shuffled().collect()),
    ] {
        measure(order, &page, &addresses)?;
    }
    Ok(())
}

fn measure(
    order: &str,
    page: &Arc<dyn Backing>,
    addresses: &[u64],
) -> Result<(), Box<dyn std::error::Error>> {
    let dma = Dma::default();
    dma.allow();
    let before = ALLOCATED.current_usage();
    let start = Instant::now();
    for address in addresses {
        dma.map(Map {
            address: *address,
            size: PAGE,
            access: Access::READ_WRITE,
            memory: Some((Arc::clone(page), *address)),
        })?;
    }
    let map = nanoseconds(start, PAGES);
    let bytes = (ALLOCATED.current_usage() - before) as f64 / PAGES as f64;

    let session = dma.session()?;
    let mut word = [0; 8];
    let mut at = 1_u64;
    let start = Instant::now();
    for _ in 0..LOOKUPS {
        at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        session.read((at >> 33) % PAGES * PAGE, &mut word)?;
    }
    let random = nanoseconds(start, LOOKUPS);
    let start = Instant::now();
    for _ in 0..LOOKUPS {
        session.read(PAGE, &mut word)?;
    }
    let same = nanoseconds(start, LOOKUPS);
    drop(session);

    let start = Instant::now();
    for address in addresses {
        dma.unmap(*address, PAGE, Hold::nobody())?;
    }
    let unmap = nanoseconds(start, PAGES);
    println!(
        "{PAGES} maps {order}: {bytes:.0} bytes and {map:.0} ns to map, {unmap:.0} ns to unmap; \
         8 bytes read in {random:.0} ns at random, {same:.0} ns in one map"
    );
    Ok(())
}

fn nanoseconds(start: Instant, count: u64) -> f64 {
    start.elapsed().as_nanos() as f64 / count as f64
}
