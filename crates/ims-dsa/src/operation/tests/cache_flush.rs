// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Cache flush: it changes nothing and finds every fault.
use super::*;

proptest! {
    #[test]
    fn a_flush_ends_at_the_first_byte_that_is_not_there(
        (space, model) in space(), (to, size) in place(),
    ) {
        let flush = transfer(Opcode::CacheFlush, 0, 0, to, size);
        let outcome = execute(Opcode::CacheFlush, &flush, &space);
        match first_fault(&space, size, &[(to, Access::Read)]) {
            Some(fault) => assert_faulted(&outcome, fault),
            None => prop_assert_eq!(outcome, Outcome::done(size)),
        }
        prop_assert_eq!(space.get(0, SIZE), model);
    }
}
