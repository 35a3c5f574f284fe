// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Models: nothing is touched after the hold has told.
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 \
//!     cargo test -p ims-vfio --release --lib --target-dir target/loom loom_
//! ```
//!
//! Memory is a count without an order of its own. Whoever is inside adds to it;
//! whoever is told notes what it holds. If everything that was done inside comes
//! before the telling, the note is the count's last value; if one ordering is too
//! weak, there is a run in which it is not.
#![allow(clippy::unwrap_used, reason = "models are tests")]

use std::sync::OnceLock;

use loom::sync::Arc as Shared;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;
use vm_memory::mmap::MmapRegion;
use vm_memory::volatile_memory::{VolatileMemory, VolatileSlice};

use super::*;

mod arrivals;
mod stops;

/// What is touched, and what it held when somebody was told.
struct Watch {
    touched: AtomicU32,
    told: AtomicU32,
    noted: AtomicU32,
}

impl Watch {
    fn new() -> Shared<Self> {
        Shared::new(Self {
            touched: AtomicU32::new(0),
            told: AtomicU32::new(0),
            noted: AtomicU32::new(0),
        })
    }

    fn touch(&self) {
        self.touched.fetch_add(1, Ordering::Relaxed);
    }

    fn hold(this: &Shared<Self>) -> Hold {
        let this = Shared::clone(this);
        Hold::new(move || {
            let touched = this.touched.load(Ordering::Relaxed);
            this.noted.fetch_max(touched, Ordering::Relaxed);
            this.told.fetch_add(1, Ordering::Relaxed);
        })
    }

    /// `holds` were told, each once, and nothing was touched after the last.
    fn check(&self, holds: u32) {
        assert_eq!(self.told.load(Ordering::Relaxed), holds);
        let touched = self.touched.load(Ordering::Relaxed);
        assert_eq!(self.noted.load(Ordering::Relaxed), touched);
    }
}

#[test]
fn loom_a_gate_tells_after_the_only_one_inside_has_left() {
    loom::model(|| {
        let gate = Shared::new(Gate::new());
        let watch = Watch::new();
        let inside = thread::spawn({
            let (gate, watch) = (Shared::clone(&gate), Shared::clone(&watch));
            move || {
                for _ in 0..2 {
                    if gate.enter() {
                        watch.touch();
                        gate.leave();
                    }
                }
            }
        });
        drop(gate.close(Watch::hold(&watch)));
        inside.join().unwrap();
        watch.check(1);
    });
}

#[test]
fn loom_a_gate_tells_after_the_last_of_several_has_left() {
    loom::model(|| {
        let gate = Shared::new(Gate::new());
        let watch = Watch::new();
        let insiders: Vec<_> = (0..2)
            .map(|_| {
                assert!(gate.enter());
                let (gate, watch) = (Shared::clone(&gate), Shared::clone(&watch));
                thread::spawn(move || {
                    watch.touch();
                    gate.leave();
                })
            })
            .collect();
        drop(gate.close(Watch::hold(&watch)));
        for inside in insiders {
            inside.join().unwrap();
        }
        watch.check(1);
    });
}

#[test]
fn loom_a_gate_that_is_closed_twice_tells_both() {
    loom::model(|| {
        let gate = Shared::new(Gate::new());
        let watch = Watch::new();
        assert!(gate.enter());
        let other = thread::spawn({
            let (gate, watch) = (Shared::clone(&gate), Shared::clone(&watch));
            move || drop(gate.close(Watch::hold(&watch)))
        });
        let inside = thread::spawn({
            let (gate, watch) = (Shared::clone(&gate), Shared::clone(&watch));
            move || {
                watch.touch();
                gate.leave();
            }
        });
        drop(gate.close(Watch::hold(&watch)));
        other.join().unwrap();
        inside.join().unwrap();
        watch.check(2);
    });
}

/// A page. Its bytes are not what is watched.
struct Page(MmapRegion<()>);

impl Backing for Page {
    fn slice(&self, offset: u64, length: usize) -> Option<VolatileSlice<'_>> {
        self.0.get_slice(usize::try_from(offset).ok()?, length).ok()
    }
}

const SIZE: u64 = 0x1000;

/// A map of a page at `address`.
fn map(address: u64) -> Map {
    static PAGE: OnceLock<Arc<Page>> = OnceLock::new();
    let page = PAGE.get_or_init(|| Arc::new(Page(MmapRegion::new(0x1000).unwrap())));
    let memory: Arc<dyn Backing> = page.clone();
    Map {
        address,
        size: SIZE,
        access: Access::READ_WRITE,
        memory: Some((memory, 0)),
    }
}

fn mapped() -> Dma {
    let dma = Dma::default();
    dma.map(map(0)).unwrap();
    dma.allow();
    dma
}

/// Touches memory as a device does, if it can, `times` times in one session.
fn work(dma: &Dma, watch: &Watch, times: u32) {
    let Ok(session) = dma.session() else {
        return;
    };
    for _ in 0..times {
        if let Ok(window) = session.window(0, 8, Access::WRITE) {
            watch.touch();
            drop(window);
        }
    }
}

#[test]
fn loom_an_unmap_is_told_after_every_access() {
    loom::model(|| {
        let dma = mapped();
        let watch = Watch::new();
        let worker = thread::spawn({
            let (dma, watch) = (dma.clone(), Shared::clone(&watch));
            // The second access finds the map without the lock.
            move || work(&dma, &watch, 2)
        });
        dma.unmap(0, SIZE, Watch::hold(&watch)).unwrap();
        worker.join().unwrap();
        watch.check(1);
    });
}

#[test]
fn loom_a_block_is_told_after_every_session() {
    loom::model(|| {
        let dma = mapped();
        let watch = Watch::new();
        let worker = thread::spawn({
            let (dma, watch) = (dma.clone(), Shared::clone(&watch));
            move || work(&dma, &watch, 1)
        });
        dma.block(Watch::hold(&watch));
        worker.join().unwrap();
        watch.check(1);
    });
}

#[test]
fn loom_a_second_stop_is_told_after_the_sessions_of_the_first() {
    loom::model(|| {
        let dma = mapped();
        let watch = Watch::new();
        let first = Watch::new();
        let session = dma.session().unwrap();
        let worker = thread::spawn({
            let (watch, first) = (Shared::clone(&watch), Shared::clone(&first));
            move || {
                watch.touch();
                first.touch();
                drop(session);
            }
        });
        dma.block(Watch::hold(&first));
        dma.unmap_all(Watch::hold(&watch));
        worker.join().unwrap();
        first.check(1);
        watch.check(1);
    });
}
