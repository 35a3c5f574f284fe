// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A VMM's own code that panics.

use super::*;

#[test]
fn a_target_that_panics_takes_no_other_vectors_interrupt_along() {
    struct Fragile(Mutex<Vec<u32>>);
    impl Target for Fragile {
        fn raise(&self, index: u32) {
            assert_ne!(index, 0, "what a VMM's own code may do");
            self.0.lock().unwrap().push(index);
        }
        fn message(&self, _index: u32) -> Option<(RequesterId, Message)> {
            None
        }
    }
    let options = Options {
        pins: Pins::Split(PINS),
        ..Options::default()
    };
    let vm = Arc::new(ModelVm::new(64));
    let (interrupts, mut forwarder) = Interrupts::without_thread(vm, options).unwrap();
    let target = Arc::new(Fragile(Mutex::default()));
    let lines = interrupts.lines(Arc::clone(&target) as Arc<dyn Target>, 8);
    let eventfds: Vec<_> = (0..8).map(|index| lines.eventfd(index).unwrap()).collect();
    for times in 1..=3 {
        eventfds
            .iter()
            .for_each(|eventfd| eventfd.write(1).unwrap());
        while forwarder.turn(Some(Duration::ZERO)).unwrap() > 0 {}
        assert_eq!(target.0.lock().unwrap().len(), 7 * times);
    }
}
