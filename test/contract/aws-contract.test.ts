import { afterAll, beforeAll, describe, it } from 'vitest';
import { BEHAVIOURS } from './aws-contract.ts';
import { openMoto, openSandbox, type OpenSubject } from './aws-subjects.ts';

/*
 * One suite of what AWS does, held against the sandbox and against moto, which strangers wrote: a simulation held only
 * against itself proves nothing.
 */

/** Where moto 5.2.5 is wrong, by the behaviour's name, and why we say so. These must fail: one that passes leaves the table. */
const MOTO_DEVIATIONS: Readonly<Record<string, string>> = {
  'the members of a group are spread over its zones': 'puts all into the first subnet',
  'DescribeInstances comes in pages': 'counts the instances of one launch as one reservation, however many',
  'a user cannot set tags of the prefix aws:': 'takes any tag',
  'a desired capacity outside of the bounds is refused': 'checks no bounds',
  'a terminated instance is described without an address': 'keeps the address',
  'an unhealthy member is replaced': 'leaves the unhealthy alone',
  'members are known by their instance, with the health in capitals': 'writes the health as Healthy',
  'a launching hook holds an instance until its action is completed, once': 'keeps hooks, but runs none',
  'a malformed id is InvalidInstanceID.Malformed': 'takes it for one that is not found',
  'a group that is not there is a ValidationError to whoever changes it': 'an HTML page with status 500',
  'the group of an unknown instance terminates nothing: a ValidationError': 'an HTML page with status 500',
  'a heartbeat for what does not wait is a ValidationError':
    'has no heartbeats: an HTML page with status 500',
  'a terminating hook holds an instance, that runs, until its action is completed':
    'keeps hooks, but runs none',
  'an abandoned launch is terminated, and another one made': 'keeps hooks, but runs none',
  'there is no refresh to cancel where there is none':
    'has no instance refresh: an HTML page with status 500',
  'an instance refresh replaces every member': 'has no instance refresh: an HTML page with status 500',
  'of a request with one duplicate no rule is added': 'adds what comes before the duplicate',
  'removing a rule by an unknown id is InvalidSecurityGroupRuleId.NotFound':
    'says InvalidPermission.NotFound',
  'a description of forbidden characters is refused': 'takes any description',
  'a new change is pending first': 'has every change in sync at once',
  'creating what exists with other values is refused': 'compares values where AWS compares names and types',
  'a set can have the values again that it had before': 'looks for the change among those of the past',
  'a batch of which one set exists already does nothing':
    'compares values where AWS compares names and types',
  'a batch of which one name is of another zone does nothing':
    'carries out what comes before the refused change',
  'deleting what is not there is refused in the words of Route 53': 'answers InvalidInput',
  'deleting with other values is refused in the words of Route 53': 'answers InvalidInput',
  'of two that replace the same value one wins': 'takes a DELETE of values that were there once',
  'deleting with the values in another order deletes': 'minds the order',
  'the TTL is part of what a DELETE must name': 'answers InvalidInput',
  'names that differ in case are one name': 'keeps the case, and so two names',
  'a set without values is refused': 'takes it',
  'a TXT string above 255 characters is refused': 'checks no values',
  'the records and the changes of what is not there are NoSuchHostedZone and NoSuchChange':
    'knows every change',
  'malformed SRV values are refused': 'checks no values',
  'malformed addresses are refused': 'checks no values',
  'an asterisk comes back as an escape': 'gives the asterisk itself',
  'zones by name start at the name and go on': 'gives the exact name alone',
};

function hold(
  name: string,
  open: () => Promise<OpenSubject>,
  deviations: Readonly<Record<string, string>>,
): void {
  describe(name, () => {
    let subject: OpenSubject | undefined;
    const opened = (): OpenSubject => {
      if (subject === undefined) throw new Error(`${name} was not opened`);
      return subject;
    };
    beforeAll(async () => {
      subject = await open();
    });
    afterAll(async () => {
      await subject?.[Symbol.asyncDispose]();
    });
    it('deviates only in behaviours that there are', ({ expect }) => {
      expect(Object.keys(deviations).filter((it) => !Object.hasOwn(BEHAVIOURS, it))).toEqual([]);
    });
    for (const [behaviour, check] of Object.entries(BEHAVIOURS)) {
      const reason = deviations[behaviour];
      const title = reason === undefined ? behaviour : `${behaviour} (not here: ${reason})`;
      (reason === undefined ? it : it.fails)(title, () => check(opened()));
    }
  });
}

hold('the sandbox', openSandbox, {});
hold('moto', openMoto, MOTO_DEVIATIONS);
