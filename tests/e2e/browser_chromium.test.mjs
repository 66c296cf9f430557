// The page in Chromium; the scenarios are in support/browser_scenarios.mjs.
import { browserScenarios } from './support/browser_scenarios.mjs';
import { launchChromium } from './support/browsers.mjs';

browserScenarios(launchChromium);
