// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A raise against a vector's trigger that comes, goes or is awaited.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;

use super::super::cell::{Cell, Signalled};
use super::super::patience::Patience;
use super::{Count, Reader};

/// How many of `raised` were given, and how many wait for the trigger.
fn split(raised: &[Option<Signalled>]) -> (u64, u64) {
    let of = |what| raised.iter().filter(|one| **one == Some(what)).count() as u64;
    (of(Signalled::Now), of(Signalled::Later))
}

#[test]
fn loom_irqs_a_raise_meets_the_awaited_trigger() {
    loom::model(|| {
        let count = Count::new();
        let cell = Arc::new(Cell::default());
        cell.restore(true, false);
        let raiser = thread::spawn({
            let cell = Arc::clone(&cell);
            move || [cell.raise(), cell.raise()]
        });
        cell.set(count.clone(), &Patience::default());
        let raised = raiser.join().unwrap();
        // Nobody was told that there is no trigger: one was there or to come.
        assert!(raised.iter().all(Option::is_some), "{raised:?}");
        let (now, later) = split(&raised);
        assert_eq!(count.get(), now + later.min(1));
        assert!(!cell.is_owed());
    });
}

#[test]
fn loom_irqs_two_raisers_meet_the_awaited_trigger() {
    loom::model(|| {
        let count = Count::new();
        let cell = Arc::new(Cell::default());
        cell.restore(true, false);
        let raisers = [(); 2].map(|()| {
            let cell = Arc::clone(&cell);
            thread::spawn(move || cell.raise())
        });
        cell.set(count.clone(), &Patience::default());
        let raised = raisers.map(|raiser| raiser.join().unwrap());
        let (now, later) = split(&raised);
        assert_eq!(now + later, 2, "{raised:?}");
        assert_eq!(count.get(), now + later.min(1));
    });
}

#[test]
fn loom_irqs_a_raise_that_waited_comes_with_its_data() {
    loom::model(|| {
        let (count, data) = (Count::new(), Arc::new(AtomicU64::new(0)));
        let cell = Arc::new(Cell::default());
        cell.restore(true, false);
        let raiser = thread::spawn({
            let (cell, data) = (Arc::clone(&cell), Arc::clone(&data));
            move || {
                data.store(1, Ordering::Relaxed);
                assert!(cell.raise().is_some());
            }
        });
        let reader = Reader {
            count: count.clone(),
            data,
        };
        cell.set(reader, &Patience::default());
        raiser.join().unwrap();
        assert_eq!(count.get(), 1);
    });
}

#[test]
fn loom_irqs_a_raise_is_saved_with_its_data() {
    loom::model(|| {
        let data = Arc::new(AtomicU64::new(0));
        let cell = Arc::new(Cell::<Count>::default());
        cell.restore(true, false);
        let saver = thread::spawn({
            let (cell, data) = (Arc::clone(&cell), Arc::clone(&data));
            move || {
                if cell.is_owed() {
                    assert_eq!(data.load(Ordering::Relaxed), 1, "saved before its data");
                }
            }
        });
        data.store(1, Ordering::Relaxed);
        assert_eq!(cell.raise(), Some(Signalled::Later));
        saver.join().unwrap();
    });
}

#[test]
fn loom_irqs_a_raise_that_waits_ends_with_the_vector() {
    loom::model(|| {
        let count = Count::new();
        let cell = Arc::new(Cell::default());
        cell.restore(true, false);
        let raiser = thread::spawn({
            let cell = Arc::clone(&cell);
            move || cell.raise()
        });
        cell.clear(&Patience::default());
        assert!(!cell.is_triggered());
        assert_ne!(raiser.join().unwrap(), Some(Signalled::Now));
        assert!(!cell.is_owed());
        cell.set(count.clone(), &Patience::default());
        assert_eq!(count.get(), 0, "a raise came to a later client");
    });
}

#[test]
fn loom_irqs_a_raise_against_a_trigger_that_goes_is_given_or_refused() {
    loom::model(|| {
        let count = Count::new();
        let cell = Arc::new(Cell::default());
        cell.set(count.clone(), &Patience::default());
        let raiser = thread::spawn({
            let cell = Arc::clone(&cell);
            move || [cell.raise(), cell.raise()]
        });
        cell.clear(&Patience::default());
        let at_return = count.get();
        let (now, later) = split(&raiser.join().unwrap());
        assert_eq!((count.get(), later), (now, 0));
        assert_eq!(count.get(), at_return);
    });
}

#[test]
fn loom_irqs_a_raise_meets_a_restore_and_then_the_trigger() {
    loom::model(|| {
        let count = Count::new();
        let cell = Arc::new(Cell::default());
        let raiser = thread::spawn({
            let cell = Arc::clone(&cell);
            move || [cell.raise(), cell.raise()]
        });
        cell.restore(true, false);
        cell.set(count.clone(), &Patience::default());
        let raised = raiser.join().unwrap();
        let (now, later) = split(&raised);
        assert_eq!(count.get(), now + later.min(1));
        // Whoever came after one that was kept or given is not refused.
        assert!(raised[0].is_none() || raised[1].is_some(), "{raised:?}");
    });
}
