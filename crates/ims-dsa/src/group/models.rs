// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Models: engines, those who submit, and those who take away.
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 \
//!     cargo test -p ims-dsa --release --lib --target-dir target/loom loom_
//! ```
//!
//! An engine that is not woken sleeps for ever, and the model says that all are
//! blocked. Memory is a count: whoever executes adds to it, and so does the end of a
//! descriptor's address space; whoever is told that it is over notes what it holds.
#![allow(clippy::unwrap_used, reason = "models are tests")]

use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;
use vm_memory::VolatileSlice;

use super::*;
use crate::bell::Bell;
use crate::errors::{ErrorLog, SoftwareError};
use crate::layout::DESCRIPTOR_SIZE;
use crate::memory::{Access, AddressSpace, Unmapped};
use crate::number::Numbers;
use crate::queue_config::QueueConfig;
use crate::wait::Until;

const RUN: u64 = 1;

/// What is touched, and what it held when somebody was told.
struct Watch {
    touched: AtomicU32,
    told: AtomicU32,
    noted: AtomicU32,
}

impl Watch {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            touched: AtomicU32::new(0),
            told: AtomicU32::new(0),
            noted: AtomicU32::new(0),
        })
    }

    fn touch(&self) {
        self.touched.fetch_add(1, Ordering::Relaxed);
    }

    fn hold(this: &Arc<Self>) -> Hold {
        let this = Arc::clone(this);
        Hold::new(move || {
            let touched = this.touched.load(Ordering::Relaxed);
            this.noted.store(touched, Ordering::Relaxed);
            this.told.fetch_add(1, Ordering::Relaxed);
        })
    }

    /// It was told once, and nothing was touched afterwards.
    fn check(&self) {
        assert_eq!(self.told.load(Ordering::Relaxed), 1);
        let touched = self.touched.load(Ordering::Relaxed);
        assert_eq!(self.noted.load(Ordering::Relaxed), touched);
    }
}

/// The memory of one descriptor, which is touched last when it is let go.
struct Memory(Arc<Watch>);

impl AddressSpace for Memory {
    fn window(&self, address: u64, _: usize, _: Access) -> Result<VolatileSlice<'_>, Unmapped> {
        Err(Unmapped { address })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.0.touch();
    }
}

struct Nobody;

impl ErrorLog for Nobody {
    fn report(&self, _: SoftwareError) {}
}

/// A group with one queue, which is enabled, and engines that run.
fn group(engines: usize) -> (Arc<Group>, Place) {
    let group = Arc::new(Group::new(engines));
    let number = Numbers::starting_at(1).take(0);
    let queue = Queue::new(number, QueueConfig::default(), Arc::new(Nobody));
    let place = group.add(queue);
    group.with_queue(place, |queue| queue.set_enabled(true));
    assert_eq!(group.run(), RUN);
    (group, place)
}

fn submit(group: &Group, place: Place, watch: &Arc<Watch>) -> Result<(), SubmitError> {
    let client = Client {
        pasid: None,
        memory: Arc::new(Memory(Arc::clone(watch))),
    };
    let descriptor = Descriptor::from_bytes(&[0; DESCRIPTOR_SIZE]);
    group.submit(place, &client, Portal::default(), &descriptor)
}

fn ended(job: &Job) -> Ended {
    Ended {
        queue: job.place,
        sequence: job.sequence,
        paid: job.cost,
        cost: job.cost,
    }
}

/// Executes the next descriptor as an engine does; false if the engines stop.
fn execute(group: &Group, watch: &Watch) -> bool {
    let seat = Arc::new(Seat::default());
    let Some(job) = group.next(&seat, RUN, None) else {
        return false;
    };
    if !seat.is_abandoned() {
        watch.touch();
    }
    let end = ended(&job);
    drop(job);
    group.finish(end);
    true
}

#[test]
fn loom_group_every_submission_finds_an_engine_that_sleeps_or_is_about_to() {
    loom::model(|| {
        let (group, place) = group(2);
        let watch = Watch::new();
        let engines = [(); 2].map(|()| {
            let (group, watch) = (Arc::clone(&group), Arc::clone(&watch));
            thread::spawn(move || execute(&group, &watch))
        });
        submit(&group, place, &watch).unwrap();
        submit(&group, place, &watch).unwrap();
        for engine in engines {
            assert!(engine.join().unwrap());
        }
    });
}

#[test]
fn loom_group_engines_stop_though_they_sleep_or_are_about_to() {
    loom::model(|| {
        let (group, place) = group(1);
        let watch = Watch::new();
        let engine = thread::spawn({
            let (group, watch) = (Arc::clone(&group), Arc::clone(&watch));
            move || while execute(&group, &watch) {}
        });
        submit(&group, place, &watch).unwrap();
        group.stop();
        engine.join().unwrap();
    });
}

/// What `take_away` was given a hold for is over when the hold is told, whether the
/// descriptor was started or not.
fn take_away(take_away: fn(&Group, Place, Hold)) {
    loom::model(move || {
        let (group, place) = group(1);
        let watch = Watch::new();
        submit(&group, place, &watch).unwrap();
        let engine = thread::spawn({
            let (group, watch) = (Arc::clone(&group), Arc::clone(&watch));
            move || execute(&group, &watch)
        });
        take_away(&group, place, Watch::hold(&watch));
        // Nothing is left for an engine that has not begun.
        group.stop();
        engine.join().unwrap();
        watch.check();
    });
}

#[test]
fn loom_group_an_abort_is_told_after_the_descriptor_and_its_memory() {
    take_away(|group, place, hold| {
        group.abort(Some(place), Whose::All, hold);
    });
}

#[test]
fn loom_group_a_removal_is_told_after_the_descriptor_and_its_memory() {
    take_away(|group, place, hold| group.remove(place, hold));
}

#[test]
fn loom_group_who_drains_a_group_that_closes_is_told_after_what_was_let_go() {
    take_away(|group, place, hold| {
        group.drain(Some(place), Whose::All, Until::Ended, hold);
        group.close();
    });
}

#[test]
fn loom_group_a_drain_is_told_after_the_descriptor_and_its_memory() {
    loom::model(|| {
        let (group, place) = group(1);
        let watch = Watch::new();
        submit(&group, place, &watch).unwrap();
        let engine = thread::spawn({
            let (group, watch) = (Arc::clone(&group), Arc::clone(&watch));
            move || execute(&group, &watch)
        });
        let hold = Watch::hold(&watch);
        group.drain(Some(place), Whose::All, Until::Ended, hold);
        assert!(engine.join().unwrap());
        watch.check();
    });
}

#[test]
fn loom_group_a_removed_queue_takes_nothing_that_its_remover_does_not_wait_for() {
    loom::model(|| {
        let (group, place) = group(1);
        let watch = Watch::new();
        let submitter = thread::spawn({
            let (group, watch) = (Arc::clone(&group), Arc::clone(&watch));
            move || match submit(&group, place, &watch) {
                // What was refused was not the device's at any time.
                Err(error) => assert_eq!(error, SubmitError::NoSuchQueue),
                Ok(()) => watch.touch(),
            }
        });
        let told = Watch::new();
        group.remove(place, Watch::hold(&told));
        submitter.join().unwrap();
        told.check();
        assert_eq!(group.queues(), 0);
        assert!(submit(&group, place, &watch).is_err());
    });
}

#[test]
fn loom_group_a_drain_descriptor_ends_by_those_before_it_or_by_an_abort() {
    loom::model(|| {
        let (group, place) = group(2);
        let watch = Watch::new();
        submit(&group, place, &watch).unwrap();
        submit(&group, place, &watch).unwrap();
        let (first, second) = (Arc::new(Seat::default()), Arc::new(Seat::default()));
        let before = group.next(&first, RUN, None).unwrap();
        let drain = group.next(&second, RUN, None).unwrap();
        let drains = thread::spawn({
            let group = Arc::clone(&group);
            move || {
                group.wait_before(&drain, &second);
                let end = ended(&drain);
                drop(drain);
                group.finish(end);
            }
        });
        let aborts = thread::spawn({
            let (group, watch) = (Arc::clone(&group), Arc::clone(&watch));
            move || {
                group.abort(Some(place), Whose::All, Watch::hold(&watch));
            }
        });
        let end = ended(&before);
        drop(before);
        group.finish(end);
        drains.join().unwrap();
        aborts.join().unwrap();
        watch.check();
    });
}

#[test]
fn loom_group_an_abandoned_engine_wakes_though_nobody_rings() {
    loom::model(|| {
        let seat = Arc::new(Seat::default());
        seat.begin();
        let aborts = thread::spawn({
            let seat = Arc::clone(&seat);
            move || seat.abandon()
        });
        seat.sleep(&Arc::new(Bell::default()));
        aborts.join().unwrap();
        assert!(seat.is_abandoned());
    });
}
