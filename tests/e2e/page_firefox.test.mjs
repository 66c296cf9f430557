// The whole page in Firefox; the scenarios are in support/page_scenarios.mjs.
import { launchFirefox } from './support/browsers.mjs';
import { pageScenarios } from './support/page_scenarios.mjs';

pageScenarios(launchFirefox);
