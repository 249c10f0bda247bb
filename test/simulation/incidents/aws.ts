import { announce, type Strikes, targetOf } from './target.ts';

/** What happens to AWS's answers. */
export const AWS_INCIDENTS: Strikes<'aws' | 'zone'> = {
  aws: (world, { who, weather, lastsMs }) => {
    const machine = who === null ? null : targetOf(world, who);
    if (who !== null && machine === null) return false;
    announce(world, `AWS answers ${machine?.id ?? 'everybody'} ${weather} for ${lastsMs} ms`);
    const key = machine?.id ?? '*';
    world.weather.set(key, weather);
    world.clock.after(lastsMs, () => {
      if (world.weather.get(key) === weather) world.weather.delete(key);
    });
    return true;
  },
  zone: (world, { failure, times, lastsMs }) => {
    const { zone, clock } = world;
    switch (failure) {
      case 'down':
        announce(world, `Route 53 does not answer for ${lastsMs} ms`);
        zone.breakDown('Route 53 does not answer');
        clock.after(lastsMs, () => zone.breakDown(null));
        return true;
      case 'denied':
        announce(world, `Route 53 takes no changes for ${lastsMs} ms`);
        zone.denyChanges('AccessDenied');
        clock.after(lastsMs, () => zone.denyChanges(null));
        return true;
      case 'stale':
        announce(world, `Route 53 lists what it has now for ${lastsMs} ms`);
        world.tell({ kind: 'lists-old', lastsMs });
        zone.listAsNow(true);
        clock.after(lastsMs, () => zone.listAsNow(false));
        return true;
      case 'lost':
      case 'unknown':
      case 'busy':
        announce(world, `the next ${times} changes of Route 53: ${failure}`);
        zone.failNext(failure, times);
        return true;
    }
  },
};
