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

#[test]
fn loom_a_vector_found_quiet_has_been_handled_if_it_was_posted() {
    loom::model(|| {
        let target = descriptor();
        let service = Arc::new(InService::new());
        let handled = Arc::new(AtomicU64::new(0));
        let _ = target.post(0x31, false);
        let (cpu_target, cpu_service) = (Arc::clone(&target), Arc::clone(&service));
        let handler = Arc::clone(&handled);
        let cpu = thread::spawn(move || {
            for vector in cpu_service.harvest_if_any(&cpu_target) {
                handler.store(1, Relaxed);
                cpu_service.end(vector);
            }
            // A second round must not make an unfinished first one look over.
            let _ = cpu_service.fall_asleep(&cpu_target);
        });
        if service.is_quiet(&target, 0x31) {
            assert_eq!(handled.load(Relaxed), 1, "quiet before its handler ran");
        }
        cpu.join().unwrap();
        assert!(service.is_quiet(&target, 0x31));
    });
}
