// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Post against sleep.

use alloc::sync::Arc;
use loom::sync::atomic::AtomicU64;
use loom::sync::atomic::Ordering::Relaxed;
use loom::thread;

use super::bench::descriptor;
use crate::posted::{Descriptor, InService};

/// Posts `vector`; says whether the CPU was to be notified.
fn poster(target: &Arc<Descriptor>, vector: u8, data: &Arc<AtomicU64>) -> thread::JoinHandle<bool> {
    let (target, data) = (Arc::clone(target), Arc::clone(data));
    thread::spawn(move || {
        data.fetch_add(1, Relaxed);
        target.post(vector, false).notify.is_some()
    })
}

#[test]
fn loom_a_cpu_that_sleeps_is_notified_of_every_post_it_has_not_taken() {
    loom::model(|| {
        let target = descriptor();
        let data = Arc::new(AtomicU64::new(0));
        target.suppress();
        let device = poster(&target, 0x31, &data);
        let taken = target.fall_asleep();
        if let Some(pending) = taken {
            assert!(pending.eq([0x31]));
            assert_eq!(data.load(Relaxed), 1, "interrupt before its data");
        }
        let notified = device.join().unwrap();
        assert!(
            taken.is_some() || notified,
            "asleep with a post that nobody announced"
        );
    });
}

#[test]
fn loom_of_two_posts_to_a_sleeping_cpu_at_least_one_notifies_and_none_is_lost() {
    loom::model(|| {
        let target = descriptor();
        let data = Arc::new(AtomicU64::new(0));
        target.suppress();
        let one = poster(&target, 0x31, &data);
        let two = poster(&target, 0x32, &data);
        let mut seen = 0;
        let asleep = match target.fall_asleep() {
            Some(pending) => {
                seen += pending.len();
                false
            }
            None => true,
        };
        let notified = one.join().unwrap() | two.join().unwrap();
        let rest = target.harvest().len();
        assert_eq!(seen + rest, 2);
        assert!(
            !asleep || notified,
            "asleep with a post that nobody announced"
        );
    });
}

#[test]
fn loom_a_post_after_a_harvest_notifies_anew() {
    loom::model(|| {
        let target = descriptor();
        let data = Arc::new(AtomicU64::new(0));
        // Notified once; the CPU now harvests while another post comes.
        assert!(target.post(0x30, false).notify.is_some());
        let device = poster(&target, 0x31, &data);
        let pending = target.harvest();
        let notified = device.join().unwrap();
        let took_it = pending.into_iter().any(|vector| vector == 0x31);
        assert!(took_it || notified, "left behind without a notification");
    });
}

/// Asks from a thread of its own whether a posted vector is quiet, while `cpu`
/// takes it and calls its handler, which sets the number.
fn quiet_means_handled(cpu: impl Fn(&Descriptor, &InService, &AtomicU64) + Sync + Send + 'static) {
    loom::model(move || {
        let target = descriptor();
        let service = Arc::new(InService::new());
        let handled = Arc::new(AtomicU64::new(0));
        let _ = target.post(0x31, false);
        let (asked, of, seen) = (
            Arc::clone(&target),
            Arc::clone(&service),
            Arc::clone(&handled),
        );
        // The one who only looks is the spawned one, or loom tries too few orders.
        let control = thread::spawn(move || {
            if of.is_quiet(&asked, 0x31) {
                assert_eq!(seen.load(Relaxed), 1, "quiet before its handler ran");
            }
        });
        cpu(&target, &service, &handled);
        control.join().unwrap();
        assert!(service.is_quiet(&target, 0x31));
    });
}

#[test]
fn loom_a_vector_found_quiet_has_been_handled_if_it_was_posted() {
    quiet_means_handled(|target, service, handled| {
        for vector in service.harvest_if_any(target) {
            handled.store(1, Relaxed);
            service.end(vector);
        }
    });
}

#[test]
fn loom_a_vector_found_quiet_in_a_later_round_was_handled_in_an_earlier_one() {
    quiet_means_handled(|target, service, handled| {
        for vector in service.harvest_if_any(target) {
            handled.store(1, Relaxed);
            service.end(vector);
        }
        assert!(service.fall_asleep(target).is_none());
    });
}
