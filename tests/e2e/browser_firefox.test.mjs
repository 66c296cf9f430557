// The page in Firefox; the scenarios are in support/browser_scenarios.mjs.
import { browserScenarios } from './support/browser_scenarios.mjs';
import { launchFirefox } from './support/browsers.mjs';

browserScenarios(launchFirefox);
