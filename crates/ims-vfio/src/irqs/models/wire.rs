// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A raise against the replacing of its trigger.

use loom::sync::Arc;
use loom::thread;

use super::super::patience::Patience;
use super::super::wire::Wire;
use super::Count;

#[test]
fn loom_irqs_a_raise_goes_to_the_old_trigger_before_it_is_replaced_or_to_the_new_one() {
    loom::model(|| {
        let (old, new) = (Count::new(), Count::new());
        let wire = Arc::new(Wire::new(old.clone()));
        let raiser = thread::spawn({
            let wire = Arc::clone(&wire);
            move || u64::from(wire.signal()) + u64::from(wire.signal())
        });
        wire.replace(Some(new.clone()), &Patience::default());
        let at_return = old.get();
        assert_eq!(raiser.join().unwrap(), 2);
        assert_eq!(old.get(), at_return, "written to after it was replaced");
        assert_eq!(old.get() + new.get(), 2);
    });
}

#[test]
fn loom_irqs_a_trigger_that_was_taken_away_is_silent() {
    loom::model(|| {
        let old = Count::new();
        let wire = Arc::new(Wire::new(old.clone()));
        let raiser = thread::spawn({
            let wire = Arc::clone(&wire);
            move || u64::from(wire.signal()) + u64::from(wire.signal())
        });
        wire.replace(None, &Patience::default());
        let at_return = old.get();
        assert_eq!(raiser.join().unwrap(), old.get());
        assert_eq!(old.get(), at_return, "written to after it was taken away");
    });
}

#[test]
fn loom_irqs_a_raise_nobody_waits_for_is_seen_on_the_new_trigger() {
    loom::model(|| {
        let (old, new) = (Count::new(), Count::new());
        let wire = Arc::new(Wire::new(old.clone()));
        let raiser = thread::spawn({
            let wire = Arc::clone(&wire);
            move || assert!(wire.signal())
        });
        let patience = Patience::default();
        patience.lose();
        wire.replace(Some(new.clone()), &patience);
        // The client looks at the old one no more.
        let seen = old.get();
        raiser.join().unwrap();
        assert!(seen + new.get() >= 1, "lost");
        assert!(old.get() + new.get() <= 2);
    });
}
