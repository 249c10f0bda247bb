import type { Bell } from './bell.ts';
import { createBell } from './bell.ts';
import type { Firewall } from './firewall.ts';
import { createFirewall } from './firewall.ts';
import type { FleetView } from './fleet-view.ts';
import { createFleetView } from './fleet-view.ts';
import type { Met } from './met.ts';
import { createMet } from './met.ts';
import type { NonceOffer } from './nonce-offer.ts';
import { createNonceOffer } from './nonce-offer.ts';
import type { DaemonOptions } from './options.ts';
import type { Ports } from './ports.ts';
import type { Register } from './register.ts';
import { createRegister } from './register.ts';
import type { ApplianceState, Chronicle } from './state.ts';
import { createChronicle, createState } from './state.ts';
import type { UpgradeWord } from './upgrade-word.ts';
import { createUpgradeWord } from './upgrade-word.ts';

/** What the loops of one appliance share. */
export interface Context {
  readonly options: DaemonOptions;
  readonly ports: Ports;
  readonly state: ApplianceState;
  readonly chronicle: Chronicle;
  readonly register: Register;
  readonly fleetView: FleetView;
  readonly firewall: Firewall;
  readonly nonceOffer: NonceOffer;
  readonly met: Met;
  /** Wakes the life of the own member: an exit, a hint, an order to leave. */
  readonly lifeBell: Bell;
  /** Wakes the housekeeper. */
  readonly houseBell: Bell;
  /** Wakes who looks after upgrades: a step of another is over, or an operator said something. */
  readonly upgradeBell: Bell;
  readonly upgradeWord: UpgradeWord;
}

/** A context for one appliance, over its ports. */
export function createContext(options: DaemonOptions, ports: Ports): Context {
  const state = createState();
  const chronicle = createChronicle(state, ports);
  const fleetView = createFleetView(ports);
  return {
    options,
    ports,
    state,
    chronicle,
    register: createRegister(ports, options.cluster),
    fleetView,
    firewall: createFirewall({ ports, options, fleetView, chronicle }),
    nonceOffer: createNonceOffer(ports, chronicle),
    met: createMet(),
    lifeBell: createBell(ports.clock),
    houseBell: createBell(ports.clock),
    upgradeBell: createBell(ports.clock),
    upgradeWord: createUpgradeWord({ ports, options, state }),
  };
}
