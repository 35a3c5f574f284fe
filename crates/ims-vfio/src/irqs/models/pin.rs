// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The level of the pin against masks and triggers.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;

use super::super::patience::Patience;
use super::super::pin::Pin;
use super::{Count, Reader};

/// A device that asserts the pin after it wrote `data`.
fn assert_pin(pin: &Arc<Pin<Reader>>, data: &Arc<AtomicU64>) -> thread::JoinHandle<()> {
    let (pin, data) = (Arc::clone(pin), Arc::clone(data));
    thread::spawn(move || {
        data.store(1, Ordering::Relaxed);
        pin.set_level(true);
    })
}

/// Arms the pin; the client looks at `data` when it is signalled.
fn arm(pin: &Pin<Reader>, data: &Arc<AtomicU64>) -> Count {
    let count = Count::new();
    let reader = Reader {
        count: count.clone(),
        data: Arc::clone(data),
    };
    pin.arm(reader, &Patience::default());
    count
}

fn armed() -> (Arc<Pin<Reader>>, Count, Arc<AtomicU64>) {
    let pin = Arc::new(Pin::default());
    let data = Arc::new(AtomicU64::new(0));
    let count = arm(&pin, &data);
    (pin, count, data)
}

#[test]
fn loom_irqs_a_pin_asserted_while_it_is_unmasked_is_signalled_once() {
    loom::model(|| {
        let (pin, count, data) = armed();
        pin.mask();
        let device = assert_pin(&pin, &data);
        pin.unmask();
        device.join().unwrap();
        assert_eq!(count.get(), 1);
        assert!(pin.is_masked(), "masks itself");
    });
}

#[test]
fn loom_irqs_a_level_is_saved_with_its_data() {
    for look in [Pin::is_asserted, Pin::is_masked] {
        loom::model(move || {
            let (pin, _count, data) = armed();
            let saver = thread::spawn({
                let (pin, data) = (Arc::clone(&pin), Arc::clone(&data));
                move || {
                    if look(&pin) {
                        assert_eq!(data.load(Ordering::Relaxed), 1, "saved before its data");
                    }
                }
            });
            data.store(1, Ordering::Relaxed);
            pin.set_level(true);
            saver.join().unwrap();
        });
    }
}

#[test]
fn loom_irqs_an_unmask_signals_again_what_is_still_asserted() {
    loom::model(|| {
        let (pin, count, data) = armed();
        data.store(1, Ordering::Relaxed);
        pin.set_level(true);
        assert_eq!(count.get(), 1);
        let device = thread::spawn({
            let pin = Arc::clone(&pin);
            move || {
                pin.set_level(false);
                pin.set_level(true);
            }
        });
        pin.unmask();
        device.join().unwrap();
        assert_eq!(count.get(), 2, "once for each time it was free to");
        assert!(pin.is_masked());
    });
}

#[test]
fn loom_irqs_a_pin_masked_while_it_is_asserted_is_signalled_once_or_later() {
    loom::model(|| {
        let (pin, count, data) = armed();
        let device = assert_pin(&pin, &data);
        pin.mask();
        device.join().unwrap();
        let before = count.get();
        assert!(before <= 1);
        pin.unmask();
        // Signalled before the mask it is signalled again; else for the first time.
        assert_eq!(count.get(), before + 1);
    });
}

#[test]
fn loom_irqs_a_pin_asserted_while_it_is_armed_is_signalled_once() {
    loom::model(|| {
        let (pin, data) = (Arc::new(Pin::default()), Arc::new(AtomicU64::new(0)));
        let device = assert_pin(&pin, &data);
        let count = arm(&pin, &data);
        device.join().unwrap();
        assert_eq!(count.get(), 1);
    });
}

#[test]
fn loom_irqs_an_assertion_that_meets_no_trigger_is_due_at_the_next() {
    loom::model(|| {
        let (pin, first, data) = armed();
        let device = assert_pin(&pin, &data);
        pin.disarm(&Patience::default());
        let at_return = first.get();
        let second = arm(&pin, &data);
        device.join().unwrap();
        assert_eq!(first.get(), at_return, "written to after it was taken away");
        assert_eq!(first.get() + second.get(), 1);
    });
}

#[test]
fn loom_irqs_a_replaced_trigger_of_the_pin_loses_no_assertion() {
    loom::model(|| {
        let (pin, first, data) = armed();
        let device = assert_pin(&pin, &data);
        let second = arm(&pin, &data);
        device.join().unwrap();
        assert_eq!(first.get() + second.get(), 1);
    });
}
