// The whole page in Chromium; the scenarios are in support/page_scenarios.mjs.
import { launchChromium } from './support/browsers.mjs';
import { pageScenarios } from './support/page_scenarios.mjs';

pageScenarios(launchChromium);
